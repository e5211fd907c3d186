/** From ONNX's protobuf to the graph. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
import { Fault } from '../../diagnostic.ts';
import { byteLength, elementType } from '../../ir/graph/dtype.ts';
import {
	elementCount,
	type Attribute,
	type Bytes,
	type Dim,
	type Graph,
	type LocalFunction,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
} from '../../ir/graph/graph.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { badTensor, malformed, structure } from '../../messages/model.ts';
import { remember, rememberOutside } from './origin.ts';
import { FieldReader } from './fields.ts';
import { Extent, fieldsOf, memorySource, type Field, type Message, type Source } from './wire.ts';

/** How deep messages may nest, as in protobuf's own implementations. */
const depthLimit = 100;

/** Finds the bytes of a tensor whose data lies in another file; undefined when the file is missing. */
export type External = (
	entries: readonly (readonly [key: string, value: string])[],
	tensor: { name: string; length: number },
) => Bytes | undefined;

/** Reads a model that lies in memory. Throws `Fault`. */
export function decodeModel(bytes: Uint8Array): Model {
	return decodeSource(memorySource(bytes), () => undefined);
}

/** Reads one TensorProto that lies in memory; data in another file is not looked for. Throws `Fault`. */
export function decodeTensor(bytes: Uint8Array): Tensor {
	const source = memorySource(bytes);
	return new Decoder(source, () => undefined).tensor({
		source,
		start: 0,
		end: source.length,
		place: 'tensor',
	});
}

export function decodeSource(source: Source, external: External): Model {
	return new Decoder(source, external).model();
}

/** Names of GraphProto's fields, for places in messages. */
const graphFields: Readonly<Record<number, string>> = {
	...{ 1: 'node', 5: 'initializer', 11: 'input', 12: 'output', 13: 'value_info' },
};

class Decoder extends FieldReader {
	private nextId = 0;
	private depth = 0;
	private readonly external: External;

	constructor(source: Source, external: External) {
		super(source);
		this.external = external;
	}

	model(): Model {
		const message: Message = { source: this.source, start: 0, end: this.source.length, place: 'model' };
		const fields = fieldsOf(message);
		const graphField = fields.find(({ number, wire }) => number === 7 && wire === 2);
		if (graphField === undefined) throw new Fault(malformed({ problem: 'there is no graph', offset: 0 }));
		const model: Model = {
			irVersion: this.int(fields, 1),
			opsets: this.opsets(fields, 8, message),
			graph: this.graph(this.inner(message, graphField, 'graph')),
			metadata: new Map(this.entries(fields, 14, message)),
			functions: this.each(fields, 25, message, 'functions').map((entry) => this.localFunction(entry)),
		};
		return remember(model, message);
	}

	private graph(message: Message): Graph {
		return this.nested(message, () => {
			const fields = fieldsOf(message);
			const list = (number: number): Message[] => this.each(fields, number, message, graphFields[number]);
			const initializers = list(5).map((entry) => this.tensor(entry));
			const infos = list(13).map((entry) => this.valueInfo(entry));
			const graph: Graph = {
				name: this.text(fields, 2),
				inputs: list(11).map((entry) => this.valueInfo(entry)),
				outputs: list(12).map((entry) => this.valueInfo(entry)),
				nodes: list(1).map((entry) => this.node(entry)),
				initializers: named(
					initializers.map((tensor) => [tensor.name, tensor]),
					'initializer',
					message.place,
				),
				valueInfo: new Map(infos.map((info) => [info.name, info])),
			};
			return remember(graph, message);
		});
	}

	private opsets(fields: readonly Field[], number: number, message: Message): Map<string, number> {
		const opsets = this.each(fields, number, message).map((entry): [string, number] => {
			const own = fieldsOf(entry);
			const domain = this.text(own, 1);
			return [domain === 'ai.onnx' ? '' : domain, this.int(own, 2)];
		});
		return named(opsets, 'operator set', message.place);
	}

	private localFunction(message: Message): LocalFunction {
		const fields = fieldsOf(message);
		const list = (number: number, name: string): Message[] => this.each(fields, number, message, name);
		const made: LocalFunction = {
			domain: this.text(fields, 10),
			name: this.text(fields, 1),
			overload: this.text(fields, 13),
			inputs: this.texts(fields, 4),
			outputs: this.texts(fields, 5),
			attributes: this.texts(fields, 6),
			defaults: new Map(list(11, 'attribute').map((entry) => this.attribute(entry))),
			opsets: this.opsets(fields, 9, message),
			nodes: list(7, 'node').map((entry) => this.node(entry)),
		};
		return remember(made, message);
	}

	private node(message: Message): Node {
		const fields = fieldsOf(message);
		const attributes = this.each(fields, 5, message, 'attribute').map((entry) => this.attribute(entry));
		const domain = this.text(fields, 7);
		const node: Node = {
			id: this.nextId++,
			name: this.text(fields, 3),
			op: this.text(fields, 4),
			domain: domain === 'ai.onnx' ? '' : domain,
			inputs: this.texts(fields, 1),
			outputs: this.texts(fields, 2),
			attributes: named(attributes, 'attribute', message.place),
		};
		return remember(node, message);
	}

	private attribute(message: Message): [string, Attribute] {
		return this.nested(message, () => {
			const fields = fieldsOf(message);
			const attribute = this.attributeValue(fields, message);
			return [this.text(fields, 1), remember(attribute, message)];
		});
	}

	private attributeValue(fields: readonly Field[], message: Message): Attribute {
		const type = this.int(fields, 20) || guessType(fields);
		const referred = this.text(fields, 21);
		if (referred !== '') return { kind: 'reference', value: referred, type };
		const one = (number: number): Message | undefined =>
			this.each(fields, number, message, number === 5 ? 'tensor' : 'graph')[0];
		const [tensor, graph] = [one(5), one(6)];
		if (type === 1) return { kind: 'float', value: this.floats(fields, 2)[0] ?? 0 };
		if (type === 2) return { kind: 'int', value: this.int(fields, 3) };
		if (type === 3) return { kind: 'string', value: this.text(fields, 4) };
		if (type === 4 && tensor) return { kind: 'tensor', value: this.tensor(tensor) };
		if (type === 5 && graph) return { kind: 'graph', value: this.graph(graph) };
		if (type === 6) return { kind: 'floats', value: this.floats(fields, 7) };
		if (type === 7) return { kind: 'ints', value: this.ints(fields, 8) };
		if (type === 8) return { kind: 'strings', value: this.texts(fields, 9) };
		if (type === 10)
			return {
				kind: 'graphs',
				value: this.each(fields, 11, message, 'graphs').map((entry) => this.graph(entry)),
			};
		return { kind: 'other', type };
	}

	tensor(message: Message): Tensor {
		const fields = fieldsOf(message);
		const name = this.text(fields, 8);
		const type = this.int(fields, 2);
		const dims = this.ints(fields, 1);
		if (dims.some((dim) => dim < 0) || !Number.isSafeInteger(elementCount(dims) * 16)) {
			throw new Fault(
				malformed(
					{ problem: `tensor '${name}' has impossible dimensions`, offset: message.start },
					{ at: message.place },
				),
			);
		}
		const bytes = this.data(fields, { name, type, dims }, message);
		return remember({ name, type, dims, ...(bytes && { bytes }) }, message);
	}

	private data(fields: readonly Field[], tensor: Tensor, message: Message): Bytes | undefined {
		const expected = byteLength(tensor.type, elementCount(tensor.dims));
		const known = elementType(tensor.type);
		if (this.int(fields, 14) === 1) {
			const { name } = tensor;
			const found = this.external(this.entries(fields, 13, message), { name, length: expected });
			if (found !== undefined) rememberOutside(message);
			return found;
		}
		const raw = fields.find(({ number }) => number === 9);
		if (raw !== undefined) {
			const length = raw.end - raw.at;
			if (known !== undefined && known.bits > 0 && length !== expected) {
				throw new Fault(badTensor({ name: tensor.name, found: length, expected }, { at: message.place }));
			}
			return new Extent(this.source, raw.at, length);
		}
		if (known === undefined || known.kind === 'string') return undefined;
		return this.typedData(fields, tensor, expected, message.place);
	}

	/** Data in the typed fields, converted to raw form when it is read. */
	private typedData(
		fields: readonly Field[],
		{ name, type, dims }: Tensor,
		expected: number,
		place: string,
	): Bytes {
		const convert = (): Uint8Array => {
			const numbers =
				type === 1 || type === 14
					? this.floats(fields, 4)
					: type === 11 || type === 15
						? this.doubles(fields, 10)
						: undefined;
			const values = numbers ?? this.ints(fields, type === 7 ? 7 : type === 12 || type === 13 ? 11 : 5);
			if (type === 10 || type === 16 || (elementType(type)?.bits ?? 0) < 8) return packBits(values, type);
			return tensorOf(name, type, dims, values).bytes?.read() ?? new Uint8Array(0);
		};
		const read = (): Uint8Array => {
			const bytes = convert();
			if (bytes.length === expected) return bytes;
			throw new Fault(badTensor({ name, found: bytes.length, expected }, { at: place }));
		};
		return { length: expected, read };
	}

	private valueInfo(message: Message): ValueInfo {
		const fields = fieldsOf(message);
		const type = this.each(fields, 2, message)[0];
		const tensor = type && this.each(fieldsOf(type), 1, type)[0];
		const own = tensor ? fieldsOf(tensor) : [];
		const shape = tensor && this.each(own, 2, tensor)[0];
		const dims = shape && this.each(fieldsOf(shape), 1, shape).map((entry) => this.dim(entry));
		return remember({ name: this.text(fields, 1), type: this.int(own, 1), ...(dims && { dims }) }, message);
	}

	private dim(message: Message): Dim {
		const fields = fieldsOf(message);
		const symbol = this.text(fields, 2);
		const value = fields.find(({ number }) => number === 1)?.value ?? -1;
		if (symbol !== '') return symbol;
		return value > 0 ? value : value === 0 && fields.length > 0 ? 0 : null;
	}

	private nested<T>(message: Message, read: () => T): T {
		if (++this.depth > depthLimit) {
			throw new Fault(
				malformed(
					{ problem: `messages nest deeper than ${depthLimit}`, offset: message.start },
					{ at: message.place },
				),
			);
		}
		const value = read();
		this.depth--;
		return value;
	}
}

/** Entries by name; a map would drop all but the last of one name. */
function named<T>(entries: readonly (readonly [string, T])[], what: string, place: string): Map<string, T> {
	const map = new Map(entries);
	if (map.size === entries.length) return map;
	const twice = entries.find(([name], at) => entries.findIndex(([other]) => other === name) < at)?.[0] ?? '';
	throw new Fault(structure({ problem: `${what} '${twice}' is there twice` }, { at: place }));
}

/** Old exporters leave the type out; the field that is there tells it. */
function guessType(fields: readonly Field[]): number {
	const types: Readonly<Record<number, number>> = { 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 8, 11: 10 };
	return fields.map(({ number }) => types[number] ?? 0).find((type) => type > 0) ?? 0;
}

/** Half floats and packed integers lie in int32_data as bits. */
function packBits(values: readonly number[], type: number): Uint8Array {
	const wide = type === 10 || type === 16;
	return wide ? new Uint8Array(Uint16Array.from(values).buffer) : Uint8Array.from(values);
}
