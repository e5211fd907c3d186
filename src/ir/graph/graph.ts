/** A model in ONNX vocabulary, immutable. Weights are references; nothing here knows files or protobuf. */

/** The name of a tensor; '' stands for an optional input or output that is absent. */
export type ValueName = string;

/** A size, a symbol (`batch`), or null where the model says nothing. */
export type Dim = number | string | null;

/** Bytes that are fetched when asked for: a file extent, a slice of other bytes, or memory. */
export type Bytes = {
	readonly length: number;
	/** The bytes themselves, little-endian as ONNX `raw_data`; must not be modified. */
	read(): Uint8Array;
};

/** What a codec keeps to write back an object it has read; opaque to everybody else, and carried along by `{ ...node }`. */
export type Origin = { readonly codec: string };

export type Tensor = {
	readonly name: ValueName;
	/** A number of `dtype.ts`. */
	readonly type: number;
	readonly dims: readonly number[];
	/** Row-major elements in `raw_data` form; undefined when the data is absent (external file missing) or of strings. */
	readonly bytes?: Bytes;
	readonly origin?: Origin;
};

export type Attribute =
	| { readonly kind: 'int'; readonly value: number }
	| { readonly kind: 'float'; readonly value: number }
	| { readonly kind: 'string'; readonly value: string }
	| { readonly kind: 'ints'; readonly value: readonly number[] }
	| { readonly kind: 'floats'; readonly value: readonly number[] }
	| { readonly kind: 'strings'; readonly value: readonly string[] }
	| { readonly kind: 'tensor'; readonly value: Tensor }
	| { readonly kind: 'graph'; readonly value: Graph }
	| { readonly kind: 'graphs'; readonly value: readonly Graph[] }
	/** Anything else (sparse tensors, type protos, references): kept as it was read. */
	| { readonly kind: 'other'; readonly type: number };

export type Node = {
	/** Unique in the model, never reused: what plans and patches speak of. */
	readonly id: number;
	readonly name: string;
	readonly op: string;
	/** '' is the ONNX default domain (`ai.onnx` is read as ''). */
	readonly domain: string;
	readonly inputs: readonly ValueName[];
	readonly outputs: readonly ValueName[];
	readonly attributes: ReadonlyMap<string, Attribute>;
	readonly origin?: Origin;
};

/** A typed value: a graph input, output or annotation. `dims` is undefined when the rank is unknown. */
export type ValueInfo = {
	readonly name: ValueName;
	/** Element type; 0 when it is no tensor (sequence, map, optional). */
	readonly type: number;
	readonly dims?: readonly Dim[];
	readonly origin?: Origin;
};

export type Graph = {
	readonly name: string;
	readonly inputs: readonly ValueInfo[];
	readonly outputs: readonly ValueInfo[];
	readonly nodes: readonly Node[];
	readonly initializers: ReadonlyMap<ValueName, Tensor>;
	readonly valueInfo: ReadonlyMap<ValueName, ValueInfo>;
	readonly origin?: Origin;
};

export type Model = {
	readonly irVersion: number;
	/** Operator set versions by domain. */
	readonly opsets: ReadonlyMap<string, number>;
	readonly graph: Graph;
	/** `metadata_props`. */
	readonly metadata: ReadonlyMap<string, string>;
	/** Domain and name of each model-local function: a node that calls one is opaque to the engine. */
	readonly functions: readonly { readonly domain: string; readonly name: string }[];
	readonly origin?: Origin;
};

/** How a node is named in messages: `MatMul '/layer.0/query/MatMul'`. */
export function nodeLabel(node: Node): string {
	const label = node.name || (node.outputs.find((name) => name !== '') ?? '');
	return `${node.domain ? `${node.domain}.` : ''}${node.op} '${label}'`;
}

export function elementCount(dims: readonly number[]): number {
	return dims.reduce((product, dim) => product * dim, 1);
}

/** The graphs inside a node: branches of `If`, bodies of `Loop` and `Scan`. */
export function subgraphs(node: Node): Graph[] {
	return [...node.attributes.values()].flatMap((attribute) => {
		if (attribute.kind === 'graph') return [attribute.value];
		return attribute.kind === 'graphs' ? [...attribute.value] : [];
	});
}

/** Names that a graph's nodes read from the graphs around it. */
export function capturedNames(graph: Graph): Set<ValueName> {
	const own = new Set<ValueName>([...graph.inputs.map((input) => input.name), ...graph.initializers.keys()]);
	for (const node of graph.nodes) for (const name of node.outputs) own.add(name);
	const captured = new Set<ValueName>();
	const note = (name: ValueName): void => {
		if (name !== '' && !own.has(name)) captured.add(name);
	};
	for (const node of graph.nodes) {
		node.inputs.forEach(note);
		for (const inner of subgraphs(node)) capturedNames(inner).forEach(note);
	}
	graph.outputs.forEach((output) => {
		note(output.name);
	});
	return captured;
}
