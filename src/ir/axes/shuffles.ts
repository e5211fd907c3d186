/**
 * Chains of three nodes that are a `Gather` by a constant. `Reshape → Transpose → Reshape` that only puts the positions of one axis in
 * another order (a channel shuffle), and `Unsqueeze → Expand → Reshape` that repeats every position of one (keys and values for the
 * queries that share them). Read step by step, the axis is a product in between, and a position could go only with all that share a
 * factor with it; read as the `Gather` that it is, every position goes by itself.
 */
import { elementCount, type Graph, type Node, type Tensor, type ValueName } from '../graph/graph.ts';
import { freshNames } from '../graph/patch.ts';
import { ints } from '../graph/tensor.ts';
import { type Facts } from '../graph/facts.ts';
import { type Operand } from './view.ts';

/** A `Gather` with the id, scope and result of the chain's last node. */
export type Shuffle = {
	readonly node: Node;
	readonly order: Tensor;
	/** The other two nodes, whose results nobody else reads; of the middle one who asks for its sizes may. */
	readonly inner: readonly [Node, Node];
	/** The sizes that the chain reads, and goes on reading where nothing of it is touched. */
	readonly targets: readonly ValueName[];
};

type Chain = readonly [first: Node, middle: Node, last: Node];

/** The shuffles and repeats of a graph, by the id of their last node. */
export function shufflesOf(graph: Graph, nodes: readonly Node[], facts: Facts): Map<number, Shuffle> {
	const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
	const readers = new Map<ValueName, number>(graph.outputs.map(({ name }) => [name, 2]));
	const asked = new Set<ValueName>();
	for (const { op, inputs } of nodes)
		for (const name of inputs)
			if (op === 'Shape') asked.add(name);
			else readers.set(name, (readers.get(name) ?? 0) + 1);
	const before = (node: Node | undefined, ...ops: readonly string[]): Node | undefined => {
		const [name = ''] = node?.inputs ?? [];
		const maker = makers.get(name);
		const isNext = maker?.domain === '' && maker.scope === node?.scope && readers.get(name) === 1;
		return isNext && ops.includes(maker.op) ? maker : undefined;
	};
	const fresh = freshNames(graph);
	const found = new Map<number, Shuffle>();
	for (const last of nodes) {
		if (last.op !== 'Reshape' || last.domain !== '') continue;
		const middle = before(last, 'Transpose', 'Expand', 'Tile');
		const first = before(middle, ...(middle?.op === 'Transpose' ? ['Reshape'] : ['Reshape', 'Unsqueeze']));
		if (middle === undefined || first === undefined || asked.has(middle.inputs[0] ?? '')) continue;
		const read = middle.op === 'Transpose' ? shuffleOf : repeatOf;
		const shuffle = read([first, middle, last], facts, fresh);
		if (shuffle !== undefined) found.set(last.id, shuffle);
	}
	return found;
}

function shuffleOf([first, middle, last]: Chain, facts: Facts, fresh: Fresh): Shuffle | undefined {
	const [from, split, to] = [first.inputs[0], first.outputs[0], last.outputs[0]].map((name) =>
		facts.of(name ?? ''),
	);
	const attribute = middle.attributes.get('perm');
	if (attribute?.kind !== 'ints' || from?.sizes === undefined || split?.sizes === undefined) return undefined;
	const { value: perm } = attribute;
	const start = perm.findIndex((axis, at) => axis !== at);
	const end = perm.findLastIndex((axis, at) => axis !== at) + 1;
	if (start < 0 || !isSame(from, to) || !isSplit(from, split, start, end)) return undefined;
	const order = ordered(
		split.sizes.slice(start, end),
		perm.slice(start, end).map((axis) => axis - start),
	);
	return gatherOf([first, middle, last], start, order, fresh);
}

/** An axis of size 1 was put in, made longer, and joined to the axis before it (`[k g]`) or behind it (`[g k]`). */
function repeatOf([first, middle, last]: Chain, facts: Facts, fresh: Fresh): Shuffle | undefined {
	const values = [first.inputs[0], first.outputs[0], middle.outputs[0], last.outputs[0]];
	const [from, put, long, to] = values.map((name) => facts.of(name ?? ''));
	if (!from?.sizes || !put?.sizes || !long?.sizes || !to?.sizes) return undefined;
	const made = long.sizes.findIndex((size, axis) => put.sizes?.[axis] !== size);
	const times = long.sizes[made] ?? 1;
	const isOne = put.sizes[made] === 1 && long.dynamic[made] !== true;
	const isPut = isOne && isSame(without(put, made), from) && isSame(without(long, made), from);
	const axis = [made - 1, made].find((at) => isSame(to, scaled(from, at, times)));
	const size = from.sizes[axis ?? -1] ?? 1;
	if (!isPut || axis === undefined || size < 2 || from.dynamic[axis] === true) return undefined;
	const order = Array.from({ length: size * times }, (_, at) =>
		axis < made ? Math.floor(at / times) : at % size,
	);
	return gatherOf([first, middle, last], axis, order, fresh);
}

/** An operand without an axis. */
const without = ({ sizes = [], dynamic, ...rest }: Operand, axis: number): Operand => ({
	...rest,
	sizes: sizes.filter((_, at) => at !== axis),
	dynamic: sizes.flatMap((_, at) => (at === axis ? [] : [dynamic[at] === true])),
});

/** An operand with an axis that is so many times as long. */
const scaled = ({ sizes = [], ...rest }: Operand, axis: number, times: number): Operand => ({
	...rest,
	sizes: sizes.map((size, at) => (at === axis ? size * times : size)),
});

type Fresh = (base: string) => ValueName;

function gatherOf(
	[first, middle, last]: Chain,
	axis: number,
	picks: readonly number[],
	fresh: Fresh,
): Shuffle {
	const name = fresh(`${last.outputs[0] ?? ''}_order`);
	const attributes = new Map([['axis', { kind: 'int' as const, value: axis }]]);
	const { origin: _, ...place } = last;
	const node = { ...place, op: 'Gather', inputs: [first.inputs[0] ?? '', name], attributes };
	const targets = [first, middle, last].flatMap(({ inputs }) => inputs.slice(1));
	return { node, order: ints(name, [picks.length], picks), inner: [first, middle], targets };
}

const moving = ({ sizes = [], dynamic }: Operand): boolean[] =>
	sizes.map((_, axis) => dynamic[axis] === true);

function isSame(from: Operand, to: Operand | undefined): boolean {
	return (
		to !== undefined && to.sizes?.join() === from.sizes?.join() && moving(to).join() === moving(from).join()
	);
}

/** Whether axis `start` became the axes from `start` up to `end`, the others as they were; none of it may move with the input. */
function isSplit(from: Operand, split: Operand, start: number, end: number): boolean {
	const { sizes = [] } = split;
	const joined = [...sizes.slice(0, start), elementCount(sizes.slice(start, end)), ...sizes.slice(end)];
	const moves = moving(split);
	const kept = [...moves.slice(0, start), false, ...moves.slice(end)];
	return (
		!moves.slice(start, end).some(Boolean) &&
		from.sizes?.join() === joined.join() &&
		moving(from).join() === kept.join()
	);
}

/** Row-major positions of an array of `sizes` in the order in which its transpose has them. */
function ordered(sizes: readonly number[], perm: readonly number[]): number[] {
	const strides = sizes.map((_, axis) => elementCount(sizes.slice(axis + 1)));
	let places = [0];
	for (const axis of perm) {
		const [size, stride] = [sizes[axis] ?? 1, strides[axis] ?? 1];
		places = places.flatMap((place) => Array.from({ length: size }, (_, at) => place + at * stride));
	}
	return places;
}
