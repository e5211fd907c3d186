/** From the graph to ONNX's protobuf: what nobody changed is copied, what changed keeps its unknown fields. */
import { createHash } from 'node:crypto';
import {
	elementCount,
	type Attribute,
	type Bytes,
	type Graph,
	type LocalFunction,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
} from '../../ir/graph/graph.ts';
import { byteLength } from '../../ir/graph/dtype.ts';
import { closed } from '../../ir/graph/close.ts';
import { derivedFrom, untouched } from './origin.ts';
import {
	bytesField,
	Extent,
	fieldsOf,
	floatField,
	joinChunks,
	textField,
	varintField,
	type Chunk,
	type Message,
} from './wire.ts';

/** Where a tensor's data goes when it is not written inside the model. */
export type Placement = { readonly location: string; readonly offset: number; readonly length: number };
/** Decides for each initializer whether its data lies outside. */
export type Place = (tensor: Tensor) => Placement | undefined;

const inline: Place = () => undefined;

export function encodeModel(model: Model): Uint8Array {
	return joinChunks(modelChunks(model));
}

/**
 * The model in memory with its large untouched weights left where they lie: as external data in the file they were read
 * from, in `folder`. Changed weights are inside.
 */
export function encodeForSession(model: Model): { readonly bytes: Uint8Array; readonly folder?: string } {
	let folder: string | undefined;
	const place: Place = ({ bytes }) => {
		if (!(bytes instanceof Extent) || bytes.source.path === undefined || bytes.length < 1024)
			return undefined;
		const cut = bytes.source.path.lastIndexOf('/');
		const own = cut < 0 ? '.' : bytes.source.path.slice(0, cut);
		folder ??= own;
		return folder === own
			? { location: bytes.source.path.slice(cut + 1), offset: bytes.offset, length: bytes.length }
			: undefined;
	};
	const bytes = joinChunks(modelChunks(model, place));
	return { bytes, ...(folder !== undefined && { folder }) };
}

/**
 * A hash of a graph: its nodes, interface and weights, wherever these lie. Two graphs have the same one when they are
 * written the same; weights are read one at a time.
 */
export function fingerprint(graph: Graph): string {
	return sha256(joinChunks(graphChunks(graph, hashed)));
}

/** The same of a whole model, opened or not: versions and functions too. */
export function modelFingerprint(model: Model): string {
	return sha256(joinChunks(modelChunks(model, hashed)));
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** Weights never change, and models that follow one from another have most of them in common. */
const hashes = new WeakMap<Bytes, string>();

const hashed: Place = ({ bytes }) => {
	if (bytes === undefined) return undefined;
	const hash = hashes.get(bytes) ?? sha256(bytes.read());
	hashes.set(bytes, hash);
	return { location: hash, offset: 0, length: bytes.length };
};

export function modelChunks(given: Model, place: Place = inline): Chunk[] {
	const model = closed(given);
	const same = place === inline ? untouched(model) : undefined;
	if (same !== undefined) return [extentOf(same)];
	const lists = new Map<number, Chunk[]>([
		[1, varintField(1, model.irVersion)],
		[8, opsetChunks(8, model.opsets)],
		[7, bytesField(7, graphChunks(model.graph, place))],
		[
			14,
			[...model.metadata].flatMap(([key, value]) =>
				bytesField(14, [...textField(1, key), ...textField(2, value)]),
			),
		],
		[25, model.functions.flatMap((made) => bytesField(25, functionChunks(made)))],
	]);
	return rebuild(derivedFrom(model), lists);
}

function opsetChunks(number: number, opsets: ReadonlyMap<string, number>): Chunk[] {
	return [...opsets].flatMap(([domain, version]) =>
		bytesField(number, [...textField(1, domain), ...varintField(2, version)]),
	);
}

function functionChunks(made: LocalFunction): Chunk[] {
	const same = untouched(made);
	if (same !== undefined) return [extentOf(same)];
	const lists = new Map<number, Chunk[]>([
		[1, textField(1, made.name)],
		[4, made.inputs.flatMap((name) => textField(4, name))],
		[5, made.outputs.flatMap((name) => textField(5, name))],
		[6, made.attributes.flatMap((name) => textField(6, name))],
		[7, made.nodes.flatMap((node) => bytesField(7, nodeChunks(node)))],
		[9, opsetChunks(9, made.opsets)],
		[10, textField(10, made.domain)],
		[11, [...made.defaults].flatMap(([name, value]) => bytesField(11, attributeChunks(name, value)))],
		...(made.overload === '' ? [] : [[13, textField(13, made.overload)] as const]),
	]);
	return rebuild(derivedFrom(made), lists);
}

/** The fields of the old message in their order; those in `lists` come out new, at the place of their first. */
function rebuild(message: Message | undefined, lists: ReadonlyMap<number, Chunk[]>): Chunk[] {
	const written = new Set<number>();
	const chunks: Chunk[] = [];
	// A list of all nodes is too long for the arguments of one `push`.
	const write = (number: number, list: readonly Chunk[]): void => {
		if (!written.has(number)) for (const chunk of list) chunks.push(chunk);
		written.add(number);
	};
	for (const { number, start, end } of message === undefined ? [] : fieldsOf(message)) {
		const list = lists.get(number);
		if (list !== undefined) write(number, list);
		else if (message !== undefined) chunks.push(new Extent(message.source, start, end - start));
	}
	for (const [number, list] of lists) write(number, list);
	return chunks;
}

function extentOf({ source, start, end }: Message): Extent {
	return new Extent(source, start, end - start);
}

function graphChunks(graph: Graph, place: Place): Chunk[] {
	const same = place === inline ? untouched(graph) : undefined;
	if (same !== undefined) return [extentOf(same)];
	const list = <T>(number: number, items: Iterable<T>, encode: (item: T) => Chunk[]): [number, Chunk[]] => [
		number,
		[...items].flatMap((item) => bytesField(number, encode(item))),
	];
	const lists = new Map<number, Chunk[]>([
		list(1, graph.nodes, nodeChunks),
		[2, textField(2, graph.name)],
		list(5, graph.initializers.values(), (tensor) => tensorChunks(tensor, place)),
		list(11, graph.inputs, valueChunks),
		list(12, graph.outputs, valueChunks),
		list(13, graph.valueInfo.values(), valueChunks),
	]);
	return rebuild(derivedFrom(graph), lists);
}

function nodeChunks(node: Node): Chunk[] {
	const same = untouched(node);
	if (same !== undefined) return [extentOf(same)];
	const lists = new Map<number, Chunk[]>([
		[1, node.inputs.flatMap((name) => textField(1, name))],
		[2, node.outputs.flatMap((name) => textField(2, name))],
		// Named here also when empty: a field that is not is copied from what was read.
		[3, node.name === '' ? [] : textField(3, node.name)],
		[4, textField(4, node.op)],
		[5, [...node.attributes].flatMap(([name, attribute]) => bytesField(5, attributeChunks(name, attribute)))],
		[7, node.domain === '' ? [] : textField(7, node.domain)],
	]);
	return rebuild(derivedFrom(node), lists);
}

function attributeChunks(name: string, attribute: Attribute): Chunk[] {
	const same = untouched(attribute);
	if (same !== undefined) return [extentOf(same)];
	return [...textField(1, name), ...attributeValue(attribute)];
}

function attributeValue(attribute: Attribute): Chunk[] {
	const type = (number: number): Chunk[] => varintField(20, number);
	switch (attribute.kind) {
		case 'float':
			return [...floatField(2, attribute.value), ...type(1)];
		case 'int':
			return [...varintField(3, attribute.value), ...type(2)];
		case 'string':
			return [...textField(4, attribute.value), ...type(3)];
		case 'tensor':
			return [...bytesField(5, tensorChunks(attribute.value, inline)), ...type(4)];
		case 'graph':
			return [...bytesField(6, graphChunks(attribute.value, inline)), ...type(5)];
		case 'floats':
			return [...attribute.value.flatMap((value) => floatField(7, value)), ...type(6)];
		case 'ints':
			return [...attribute.value.flatMap((value) => varintField(8, value)), ...type(7)];
		case 'strings':
			return [...attribute.value.flatMap((value) => textField(9, value)), ...type(8)];
		case 'graphs':
			return [...attribute.value.flatMap((graph) => bytesField(11, graphChunks(graph, inline))), ...type(10)];
		case 'reference':
			return [...textField(21, attribute.value), ...type(attribute.type)];
		case 'other':
			return type(attribute.type);
	}
}

function tensorChunks(tensor: Tensor, place: Place): Chunk[] {
	const placed = place(tensor);
	const same = untouched(tensor);
	if (same !== undefined && placed === undefined) return [extentOf(same)];
	const named = [
		...tensor.dims.flatMap((dim) => varintField(1, dim)),
		...varintField(2, tensor.type),
		...textField(8, tensor.name),
	];
	if (placed !== undefined) return [...named, ...placementChunks(placed)];
	const origin = derivedFrom(tensor);
	if (origin !== undefined && tensor.bytes === undefined)
		return rebuild(origin, new Map([[8, textField(8, tensor.name)]]));
	const data: Bytes = tensor.bytes ?? {
		length: byteLength(tensor.type, elementCount(tensor.dims)),
		read: () => new Uint8Array(0),
	};
	return [...named, ...bytesField(9, [data])];
}

function placementChunks({ location, offset, length }: Placement): Chunk[] {
	const entry = (key: string, value: string): Chunk[] =>
		bytesField(13, [...textField(1, key), ...textField(2, value)]);
	return [
		...entry('location', location),
		...entry('offset', String(offset)),
		...entry('length', String(length)),
		...varintField(14, 1),
	];
}

function valueChunks(info: ValueInfo): Chunk[] {
	const same = untouched(info);
	if (same !== undefined) return [extentOf(same)];
	const dims = info.dims?.flatMap((dim) =>
		bytesField(1, dim === null ? [] : typeof dim === 'string' ? textField(2, dim) : varintField(1, dim)),
	);
	const tensorType = [...varintField(1, info.type), ...(dims === undefined ? [] : bytesField(2, dims))];
	const name = [1, textField(1, info.name)] as const;
	// Of what is no tensor, the type stays as it was read.
	const fields = info.type === 0 ? [name] : [name, [2, bytesField(2, bytesField(1, tensorType))] as const];
	return rebuild(derivedFrom(info), new Map(fields));
}
