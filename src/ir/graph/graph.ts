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
	/**
	 * The same one after the other, each good until the next is taken and of a whole number of `unit` bytes (1); absent where they lie
	 * in memory already.
	 */
	pieces?(unit?: number): Iterable<Uint8Array>;
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
	/** In an opened graph: the body it was read in. */
	readonly scope?: Scope;
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
	/** Inside a function: the attribute of the call with this name. */
	| { readonly kind: 'reference'; readonly value: string; readonly type: number }
	/** Anything else (sparse tensors, type protos): kept as it was read. */
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
	/** In an opened graph: the body or call that it stands in; absent in the main graph and for new nodes. */
	readonly scope?: Scope;
	/** In an opened graph, of the nodes that stand for an If, Loop or Scan: its bodies. */
	readonly bodies?: readonly Scope[];
};

/** A stretch of an opened graph: a body of an If, Loop or Scan, or what a call of a model-local function comes to (`open.ts`). */
export type Scope = {
	readonly parent?: Scope;
	/** The node it belongs to, with the names of the opened graph. */
	readonly owner: Node;
	/** The body as it was read, and the attribute that holds it; absent for a call. */
	readonly body?: { readonly graph: Graph; readonly attribute: string };
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

/** A model-local function (FunctionProto): nodes that a call of it stands for. */
export type LocalFunction = {
	readonly domain: string;
	readonly name: string;
	/** Tells functions of one name apart; '' where there is but one. */
	readonly overload: string;
	readonly inputs: readonly ValueName[];
	readonly outputs: readonly ValueName[];
	/** Attributes that every call must give. */
	readonly attributes: readonly string[];
	/** Attributes that a call leaves out. */
	readonly defaults: ReadonlyMap<string, Attribute>;
	readonly opsets: ReadonlyMap<string, number>;
	readonly nodes: readonly Node[];
	readonly origin?: Origin;
};

export type Model = {
	readonly irVersion: number;
	/** Operator set versions by domain. */
	readonly opsets: ReadonlyMap<string, number>;
	readonly graph: Graph;
	/** `metadata_props`. */
	readonly metadata: ReadonlyMap<string, string>;
	readonly functions: readonly LocalFunction[];
	readonly origin?: Origin;
};

/** The domain of the nodes that stand for control flow in an opened graph. */
export const flowDomain = 'prunec.flow';

/** How a node is named in messages: `MatMul '/layer.0/query/MatMul'`. */
export function nodeLabel(node: Node): string {
	const label = node.name || (node.outputs.find((name) => name !== '') ?? '');
	if (node.domain === flowDomain) return `${node.op.replace(/In$/, '')} '${label}'`;
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

/** An attribute with its bodies changed; one without any as it is. */
export function withBodies(attribute: Attribute, changed: (body: Graph) => Graph): Attribute {
	if (attribute.kind === 'graph') return { kind: 'graph', value: changed(attribute.value) };
	return attribute.kind === 'graphs' ? { kind: 'graphs', value: attribute.value.map(changed) } : attribute;
}

/** The highest id among a graph's nodes, those of bodies included; -1 when it has none. */
export function highestId(graph: Graph): number {
	const inner = graph.nodes.flatMap(subgraphs).map(highestId);
	return Math.max(-1, ...inner, ...graph.nodes.map(({ id }) => id));
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
