/**
 * How far counted positions reach: the highest of them, by the length of the input. Families count from different numbers on (BART and OPT
 * from 2, RoBERTa from behind the padding token), and what masks and paddings leave out is counted no further than the length either.
 */
import { BOOL } from '../../ir/graph/dtype.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';
import { type NetNode, type NetTensor } from '../../ir/axes/net.ts';

/** The highest number is `most`, or the number of positions plus `most` where it `counts` them; past ones count as well. */
export type Reach = { readonly counts: boolean; readonly most: number };

/** Operators whose results are numbers of their first input, as are those of Slice. */
const moving: ReadonlySet<string> = new Set([
	...['Identity', 'Cast', 'Reshape', 'Unsqueeze', 'Squeeze', 'Flatten', 'Transpose', 'Expand', 'Tile'],
	'Gather',
]);

/** Undefined where the numbers are not told by the length alone, or nobody here knows how. */
export function reachOf(tensor: NetTensor | undefined): Reach | undefined {
	return tensor && reaching(tensor, new Set());
}

function reaching(tensor: NetTensor, above: ReadonlySet<NetTensor>): Reach | undefined {
	if (above.has(tensor)) return undefined;
	const known = numbersIn(tensor);
	if (known !== undefined) return { counts: false, most: Math.max(0, ...known) };
	if (tensor.io.includes('input'))
		return tensor.name.toLowerCase().includes('position') ? { counts: true, most: -1 } : undefined;
	const { producer } = tensor;
	if (producer === undefined) return undefined;
	if (producer.readsShape) return { counts: true, most: 0 };
	const within = new Set(above).add(tensor);
	return computed(producer, (input) => input && reaching(input, within));
}

type Of = (input: NetTensor | undefined) => Reach | undefined;

function computed({ node, inputs }: NetNode, of: Of): Reach | undefined {
	const { op, attributes } = node;
	const [first, second] = inputs;
	if (moving.has(op)) return of(first);
	switch (op) {
		case 'Add':
			return sum(of(first), of(second));
		case 'Sub': {
			const less = second && numbersIn(second);
			const from = of(first);
			return less && from && { ...from, most: from.most - Math.min(...less) };
		}
		case 'Mul':
			return isBinary(second) ? of(first) : isBinary(first) ? of(second) : undefined;
		case 'Range':
			return larger(of(first), before(of(second)));
		case 'ConstantOfShape': {
			const value = attributes.get('value');
			return { counts: false, most: value?.kind === 'tensor' ? (numbersOf(value.value)[0] ?? 0) : 0 };
		}
		case 'CumSum':
			return isBinary(first) ? { counts: true, most: 0 } : undefined;
		case 'Slice':
			return sliced(first, of(inputs[2])) ?? of(first);
		case 'Min':
			return inputs.map(of).reduce(lower);
		case 'Where':
			return larger(of(second), of(inputs[2]));
		case 'Concat':
		case 'Max':
			return inputs.map(of).reduce(larger);
		default:
			return undefined;
	}
}

/** The first of stored numbers that count up, as many as the end of the slice says. */
function sliced(stored: NetTensor | undefined, end: Reach | undefined): Reach | undefined {
	const values = stored && numbersIn(stored);
	const [first = 0] = values ?? [];
	const countUp = values?.every((value, at) => value === first + at) === true;
	return countUp && end?.counts === true ? { counts: true, most: first + end.most - 1 } : undefined;
}

const before = (end: Reach | undefined): Reach | undefined => end && { ...end, most: end.most - 1 };

/** Sizes that are added up, as of a cache and what comes to it, are one length. */
const sum = (a: Reach | undefined, b: Reach | undefined): Reach | undefined =>
	a && b && { counts: a.counts || b.counts, most: a.most + b.most };

/** There is one position at least: what counts none is so much less than the length and itself. */
function larger(a: Reach | undefined, b: Reach | undefined): Reach | undefined {
	if (a === undefined || b === undefined) return undefined;
	const counts = a.counts || b.counts;
	const [one = 0, other = 0] = [a, b].map(({ counts: own, most }) => (counts && !own ? most - 1 : most));
	return { counts, most: Math.max(one, other) };
}

/** The least of several is no higher than any of them: than the one that goes with the length, where there is one. */
function lower(a: Reach | undefined, b: Reach | undefined): Reach | undefined {
	if (a === undefined || b === undefined) return a ?? b;
	if (a.counts !== b.counts) return a.counts ? a : b;
	return a.most <= b.most ? a : b;
}

/** Numbers that are the same whatever the input. */
function numbersIn({ producer, name, consumers }: NetTensor): readonly number[] | undefined {
	const [reader] = consumers;
	const known =
		producer?.view.outputs[producer.node.outputs.indexOf(name)]?.known ??
		reader?.view.inputs[reader.node.inputs.indexOf(name)]?.known;
	return known?.fixed.every(Boolean) === true ? known.values : undefined;
}

/** Zeros and ones: what comparisons give, and masks that the model takes. */
function isBinary(tensor: NetTensor | undefined, steps = 0): boolean {
	if (tensor === undefined || steps > 8) return false;
	if (tensor.io.includes('input')) return tensor.name.toLowerCase().includes('mask');
	const known = numbersIn(tensor);
	if (known !== undefined) return known.every((value) => value === 0 || value === 1);
	const { producer } = tensor;
	if (producer === undefined) return false;
	const type = producer.view.outputs[producer.node.outputs.indexOf(tensor.name)]?.type;
	return (
		type === BOOL ||
		((moving.has(producer.node.op) || producer.node.op === 'Slice') &&
			isBinary(producer.inputs[0], steps + 1))
	);
}
