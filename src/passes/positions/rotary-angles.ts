/** Where the angles of rotations by position come from: stored frequencies (cos and sin of position · frequency), or tables of cosines and sines. */
import { elementCount, nodeLabel, type Tensor } from '../../ir/graph/graph.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { isReadable, numbersOf } from '../../ir/graph/tensor.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { positionTable } from './position-tables.ts';
import { rotationAt, type Rotation } from './rotary.ts';

/** A place where a node reads a constant. */
export type Reading = { readonly node: number; readonly slot: number };

/** Stored angles and the rotations that use them. */
export type Angles = {
	/** Of the frequencies alone, or of the cosines and of the sines: who reads them. */
	readonly readings: readonly (readonly Reading[])[];
	readonly name: string;
	/** By column of the table or number of the frequencies, at most: radians from one position to the next. */
	readonly frequencies: Float64Array;
	/** Columns of one pair: 2 where each stands twice. */
	readonly columns: number;
	/** Ids of the last nodes of the rotations by these angles. */
	readonly rotations: readonly number[];
};

type Leaf = {
	readonly kind: 'frequencies' | 'table';
	readonly constant: Tensor;
	readonly at: Reading;
};
/** What was met on the way up from a rotation. */
type Way = { readonly leaves: Leaf[]; readonly path: Set<NetNode> };
type Gathered = {
	readonly tensors: readonly Tensor[];
	readonly readings: readonly Map<string, Reading>[];
	readonly path: Set<NetNode>;
	readonly ends: Set<NetNode>;
	readonly rotations: number[];
	readonly columns: number;
};

/** All stored angles of the rotations in scope, and the rotations whose angles cannot be told or must stay, with the reason. */
export function anglesOf(
	net: Net,
	inScope: (node: NetNode) => boolean,
): { readonly found: readonly Angles[]; readonly refused: readonly { label: string; why: string }[] } {
	const groups = new Map<string, Gathered>();
	const refused: { label: string; why: string }[] = [];
	for (const node of net.nodes) {
		const rotation = inScope(node) ? rotationAt(node) : undefined;
		if (rotation === undefined) continue;
		const why = gather(rotation, groups, net);
		if (why !== undefined) refused.push({ label: nodeLabel(node.node), why });
	}
	const found = [...groups.values()].flatMap((group) => {
		const why = otherReader(group);
		if (why === undefined) return [anglesIn(group)];
		refused.push({ label: group.tensors[0]?.name ?? '', why });
		return [];
	});
	return { found, refused };
}

/** Adds a rotation to those of the same constants; or why not. */
function gather(rotation: Rotation, groups: Map<string, Gathered>, net: Net): string | undefined {
	const path = new Set<NetNode>();
	const sides = [rotation.cosine, rotation.sine].map((side) => {
		const way: Way = { leaves: [], path };
		const reader = rotation.readers.find(({ inputs }) => side !== undefined && inputs.includes(side));
		const why = side && reader ? climb(side, reader, way, net) : 'it is not given its angles';
		return why ?? way.leaves;
	});
	const [cosines, sines] = sides;
	if (typeof cosines === 'string') return cosines;
	if (typeof sines === 'string') return sines;
	const [cosine, sine] = [cosines?.[0], sines?.[0]];
	if (cosine === undefined || cosine.kind !== sine?.kind) return unstored;
	const isTable = cosine.kind === 'table';
	const why = isTable ? oddTables(cosine.constant, sine.constant) : oddFrequencies(cosine, sine);
	if (why !== undefined) return why;
	const tensors = isTable ? [cosine.constant, sine.constant] : [cosine.constant];
	const stored = isTable ? (cosine.constant.dims.at(-1) ?? 0) : elementCount(cosine.constant.dims);
	const isTwice = rotation.readers.length > 1 && rotation.cosine?.sizes.at(-1) === stored;
	const key = tensors.map(({ name }) => name).join(' ');
	const group: Gathered = groups.get(key) ?? {
		tensors,
		readings: tensors.map(() => new Map<string, Reading>()),
		path: new Set(),
		ends: new Set(),
		rotations: [],
		columns: isTwice ? 2 : 1,
	};
	groups.set(key, group);
	for (const [side, leaves] of [cosines ?? [], sines ?? []].entries())
		for (const { at } of leaves) group.readings[isTable ? side : 0]?.set(`${at.node} ${at.slot}`, at);
	for (const node of path) group.path.add(node);
	for (const node of rotation.readers) group.ends.add(node);
	group.rotations.push(rotation.node.node.id);
	return undefined;
}

const unstored = 'its angles are not stored in the model as frequencies or tables of cosines and sines';

function oddTables(cosine: Tensor, sine: Tensor): string | undefined {
	const rows = cosine.dims.slice(0, -1).filter((size) => size > 1);
	const isAlike = cosine.dims.join() === sine.dims.join() && cosine.name !== sine.name;
	return isAlike && rows.length === 1
		? undefined
		: 'its cosines and sines are no two tables of a row a position';
}

function oddFrequencies(cosine: Leaf, sine: Leaf): string | undefined {
	const { name, dims } = cosine.constant;
	const isRow = elementCount(dims) > 1 && dims.filter((size) => size > 1).length === 1;
	return isRow && name === sine.constant.name ? undefined : unstored;
}

const movers = new Set([
	'Unsqueeze',
	'Squeeze',
	'Reshape',
	'Transpose',
	'Expand',
	'Concat',
	'Cast',
	'Identity',
	'Slice',
	'Gather',
]);

/** Up to the constants that a value's cosines or sines are made of; says why where they are made of something else. */
function climb(tensor: NetTensor, reader: NetNode, way: Way, net: Net): string | undefined {
	const { producer } = tensor;
	if (tensor.constant !== undefined) return leaf('table', tensor.constant, reader, tensor, way);
	if (producer === undefined) return unstored;
	way.path.add(producer);
	const { op } = producer.node;
	const [first] = producer.inputs;
	const table = positionTable(producer);
	if (table !== undefined && first !== undefined) return leaf('table', table.table, producer, first, way);
	if (op === 'Cos' || op === 'Sin') return first && climbAngles(first, way, net);
	const moved = movedBy(producer);
	for (const one of moved) {
		const why = climb(one, producer, way, net);
		if (why !== undefined) return why;
	}
	return moved.length === 0 ? unstored : undefined;
}

/** The inputs whose numbers a node passes on, times one number at most. */
function movedBy({ node, inputs }: NetNode): readonly NetTensor[] {
	if (node.op === 'Concat') return inputs.filter((input) => input !== undefined);
	if (movers.has(node.op)) return inputs.slice(0, 1).filter((input) => input !== undefined);
	if (node.op !== 'Mul') return [];
	const scaled = inputs.filter(
		(input) => input?.constant === undefined || elementCount(input.constant.dims) > 1,
	);
	return scaled.length === 1 ? scaled.filter((input) => input !== undefined) : [];
}

/** Up from angles to the frequencies that positions are multiplied by. */
function climbAngles(tensor: NetTensor, way: Way, net: Net): string | undefined {
	const { producer } = tensor;
	if (producer === undefined) return unstored;
	way.path.add(producer);
	if (['MatMul', 'FusedMatMul', 'Mul'].includes(producer.node.op)) return frequencies(producer, way, net);
	if (!movers.has(producer.node.op))
		return `${nodeLabel(producer.node)} makes its angles, no product of positions and frequencies`;
	for (const one of movedBy(producer)) {
		const why = climbAngles(one, way, net);
		if (why !== undefined) return why;
	}
	return undefined;
}

function frequencies(product: NetNode, way: Way, net: Net): string | undefined {
	const { attributes } = product.node;
	const isScaled = attributes.get('alpha') !== undefined && !isOne(attributes.get('alpha'));
	for (const [slot, operand] of product.inputs.entries()) {
		const other = product.inputs[1 - slot];
		if (operand === undefined || other === undefined || isScaled) continue;
		const end = endOf(operand, product);
		if (end.tensor.constant === undefined || !isWhole(endOf(other, product).tensor, net)) continue;
		if (product.node.op !== 'Mul' && innerSize(product, slot) !== 1) continue;
		for (const node of end.path) way.path.add(node);
		return leaf('frequencies', end.tensor.constant, end.reader, end.tensor, way);
	}
	return `${nodeLabel(product.node)} makes its angles of more than positions and stored frequencies`;
}

const isOne = (attribute: ReturnType<NetNode['node']['attributes']['get']>): boolean =>
	attribute?.kind === 'float' && attribute.value === 1;

function innerSize(product: NetNode, slot: number): number | undefined {
	const isTurned = intAttribute(product.view, slot === 0 ? 'transA' : 'transB', 0) === 1;
	return product.inputs[slot]?.sizes.at((slot === 0) === isTurned ? -2 : -1);
}

/** What a value is the numbers of, laid out in another way. */
function endOf(
	start: NetTensor,
	from: NetNode,
): { readonly tensor: NetTensor; readonly reader: NetNode; readonly path: readonly NetNode[] } {
	let [tensor, reader] = [start, from];
	const path: NetNode[] = [];
	for (;;) {
		const { producer } = tensor;
		const [first] = producer?.inputs ?? [];
		const isEnd = tensor.constant !== undefined || producer === undefined || first === undefined;
		if (isEnd || !movers.has(producer.node.op) || producer.node.op === 'Concat')
			return { tensor, reader, path };
		path.push(producer);
		[tensor, reader] = [first, producer];
	}
}

/** Whether a value is whole numbers, as positions are. */
function isWhole(tensor: NetTensor, net: Net): boolean {
	const type = net.facts.of(tensor.name)?.type;
	return tensor.producer?.node.op === 'Range' || (type !== undefined && elementType(type)?.kind === 'int');
}

function leaf(
	kind: Leaf['kind'],
	constant: Tensor,
	reader: NetNode,
	read: NetTensor,
	{ leaves }: Way,
): string | undefined {
	if (elementType(constant.type)?.kind !== 'float' || !isReadable(constant)) return unstored;
	const [first] = leaves;
	if (first !== undefined && first.constant.name !== constant.name) return unstored;
	leaves.push({ kind, constant, at: { node: reader.node.id, slot: reader.inputs.indexOf(read) } });
	return undefined;
}

/** Somebody else who would read the changed angles. */
function otherReader({ path, ends }: Gathered): string | undefined {
	for (const node of path)
		for (const output of node.outputs) {
			if (output?.io.includes('output') === true) return `its angles are the output '${output.name}'`;
			const other = output?.consumers.find((one) => !path.has(one) && !ends.has(one) && !one.readsShape);
			if (other !== undefined) return `${nodeLabel(other.node)} reads its angles too`;
		}
	return undefined;
}

function anglesIn({ tensors, readings, columns, rotations }: Gathered): Angles {
	const [first, second] = tensors.map((tensor) => numbersOf(tensor));
	const frequencies =
		second === undefined
			? Float64Array.from(first ?? [], Math.abs)
			: speeds(first ?? [], second, tensors[0]?.dims.at(-1) ?? 1);
	const name = tensors[0]?.name ?? '';
	return { readings: readings.map((map) => [...map.values()]), name, frequencies, columns, rotations };
}

/** By column the largest |angle| / position of all rows, so that no row turns further than position · this. */
function speeds(cosines: ArrayLike<number>, sines: ArrayLike<number>, width: number): Float64Array {
	const most = new Float64Array(width);
	for (let at = 0; at < cosines.length; at++) {
		const [row, column] = [Math.floor(at / width), at % width];
		const angle = Math.abs(Math.atan2(sines[at] ?? 0, cosines[at] ?? 0));
		const speed = row > 0 ? angle / row : angle === 0 ? 0 : Infinity;
		most[column] = Math.max(most[column] ?? 0, speed);
	}
	return most;
}
