/** Control flow: branches, loops and scans around blocks. */
import { BOOL, INT64 } from '../../src/ir/graph/dtype.ts';
import { type Attribute, type Dim } from '../../src/ir/graph/graph.ts';
import { type Block } from './blocks.ts';
import { project, type Flow, type Kit } from './kit.ts';

/** The body that a kit has built, giving these values. */
function bodyOf({ b }: Kit, outputs: readonly (readonly [name: string, type?: number])[]): Attribute {
	const { graph } = b.build();
	return {
		kind: 'graph',
		value: { ...graph, outputs: outputs.map(([name, type = 1]) => ({ name, type })) },
	};
}

/** Whether the sum of a value is positive, which the inputs decide. */
function isPositive(kit: Kit, { name }: Flow): string {
	const sum = kit.node('ReduceSum', [name], { keepdims: 0 });
	return kit.node('Greater', [sum, kit.b.floats([0], [])]);
}

function dimsOf({ kind, width, size }: Flow): Dim[] {
	const dims = { image: [width, size, size], sequence: ['seq', width], vector: [width] };
	return ['batch', ...dims[kind]];
}

const branch: Block = {
	takes: ['image', 'sequence', 'vector'],
	chains: 2,
	build: (kit, x, chains) => {
		const width = kit.draw.from(3, 8);
		const [then_branch, else_branch] = chains.map((chain) => {
			const inner = kit.body();
			const { name } = project(inner, chain(inner, x), width);
			// What a branch gives must be made in it.
			return bodyOf(inner, [[inner.node('Abs', [name])]]);
		});
		const attributes = { ...(then_branch && { then_branch }), ...(else_branch && { else_branch }) };
		return { ...x, width, name: kit.node('If', [isPositive(kit, x)], attributes) };
	},
};

/** A state, twice through the same blocks. */
const loop: Block = {
	takes: ['image', 'sequence', 'vector'],
	chains: 1,
	build: (kit, x, [chain]) => {
		const inner = kit.body();
		const own = inner.draw.seed();
		inner.b.input(`turn_${own}`, [], INT64);
		const goesOn = inner.b.input(`on_${own}`, [], BOOL);
		const state = inner.b.input(`state_${own}`, dimsOf(x));
		const made = project(inner, chain?.(inner, { ...x, name: state }) ?? x, x.width);
		const next = inner.bounded(inner.node('Add', [made.name, state]));
		const body = bodyOf(inner, [[inner.node('Identity', [goesOn]), BOOL], [next]]);
		const count = kit.b.ints([2], []);
		const always = kit.b.constant({ type: BOOL, dims: [], data: [1] });
		return { ...x, name: kit.node('Loop', [count, always, x.name], { body }) };
	},
};

/** A recurrence written out: a state walks along the sequence. */
const scan: Block = {
	takes: ['sequence'],
	build: (kit, x) => {
		const width = kit.draw.from(3, 6);
		const first = kit.linear(kit.reduce('ReduceMax', x.name, [1]), x.width, width);
		const inner = kit.body();
		const own = inner.draw.seed();
		const state = inner.b.input(`state_${own}`, ['batch', width]);
		const now = inner.b.input(`now_${own}`, ['batch', x.width]);
		const sum = inner.node('Add', [inner.linear(state, width, width), inner.linear(now, x.width, width)]);
		const next = inner.activation(inner.bounded(sum));
		const body = bodyOf(inner, [[next], [inner.node('Identity', [next])]]);
		const along = { kind: 'ints', value: [1] } as const;
		const attributes = { body, num_scan_inputs: 1, scan_input_axes: along, scan_output_axes: along };
		const last = kit.b.node('Scan', [first, x.name], attributes, '', 2);
		return { ...x, width, name: `${last}_1` };
	},
};

export const flowBlocks: Readonly<Record<string, Block>> = { branch, loop, scan };
