/** Loops that build sequences, as TorchScript writes them. */
import { BOOL, INT64 } from '../../src/ir/graph/dtype.ts';
import { type Attribute, type Model } from '../../src/ir/graph/graph.ts';
import { modelBuilder, type Build } from './model.ts';

/** A loop's body: what goes on, its condition first, of the turn's number and the states. */
type Turn = (inner: Build, turn: string, states: readonly string[]) => readonly string[];

export function loop(
	b: Build,
	turns: string,
	states: readonly (readonly [name: string, type: number, dims?: readonly (string | number)[]])[],
	turn: Turn,
	counter: readonly number[] = [],
): string {
	const inner = b.body();
	const at = inner.input(`${turns}/turn`, counter, INT64);
	inner.input(`${turns}/going`, [], BOOL);
	const inputs = states.map(([name, type, dims = []]) => inner.input(`${turns}/${name}`, dims, type));
	const outputs = turn(inner, at, inputs);
	const types = [BOOL, ...states.map(([, type]) => type)];
	const value = {
		...inner.build().graph,
		outputs: outputs.map((name, slot) => ({ name, type: types[slot] ?? 1 })),
	};
	const body: Attribute = { kind: 'graph', value };
	return b.node('Loop', [turns, '', ...states.map(([name]) => name)], { body });
}

/** What `torch.tensor_split` becomes: a loop that puts slices between bounds into a sequence, the rest behind it, and each taken out. */
export function splitInLoop({ at = 'constant' }: { at?: 'constant' | 'input' } = {}): Model {
	const b = modelBuilder();
	const yes = b.constant({ type: BOOL, dims: [], data: [1] });
	const x = b.node('MatMul', [b.input('x', ['batch', 7, 6]), b.weight([6, 32])]);
	const [bounds, axis, one] = [b.ints([0, 1, 4]), b.ints([1]), b.ints([1])];
	const turns = at === 'constant' ? b.ints([2]) : b.input('turns', [1], INT64);
	const built = loop(
		b,
		turns,
		[[b.node('SequenceEmpty', []), 0]],
		(inner, turn, [sequence = '']) => {
			const from = inner.node('Gather', [bounds, turn]);
			const to = inner.node('Gather', [bounds, inner.node('Add', [turn, one])]);
			const piece = inner.node('Slice', [x, from, to, axis]);
			return [inner.node('Identity', [yes]), inner.node('SequenceInsert', [sequence, piece])];
		},
		[1],
	);
	const rest = b.node('Slice', [x, b.ints([4]), b.ints([7]), axis]);
	const whole = b.node('SequenceInsert', [built, rest]);
	const [first, second, last] = [0, 1, -1].map((place) => b.node('SequenceAt', [whole, b.ints([place], [])]));
	const joined = b.node('Concat', [last ?? '', b.node('Relu', [second ?? '']), first ?? ''], { axis: 1 });
	b.output(b.node('MatMul', [joined, b.weight([32, 5])]), ['batch', 7, 5]);
	return b.build();
}
