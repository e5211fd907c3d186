/** Sessions of onnxruntime, loaded when first needed. The only file that imports it. */
import type * as Ort from 'onnxruntime-node';
import { Fault, present } from '../../diagnostic.ts';
import { elementType, FLOAT, FLOAT16 } from '../../ir/graph/dtype.ts';
import { inferFacts } from '../../ir/graph/facts.ts';
import { hasHalf } from '../../ir/graph/widen.ts';
import { bareAttention, biased } from '../../ir/graph/biased.ts';
import { elementCount, nodeLabel, type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { halfBits, halfValue, toInt64 } from '../../ir/graph/tensor.ts';
import { noRuntime, sessionFailed } from '../../messages/run.ts';
import { encodeForSession } from '../onnx/encode.ts';

/** A tensor as numbers, row-major. */
export type Value = {
	readonly type: number;
	readonly dims: readonly number[];
	readonly data: ArrayLike<number>;
};
export type Feeds = ReadonlyMap<ValueName, Value>;

export type Session = {
	/** Runs the model; throws `Fault` when it cannot. Values that are no tensors of numbers are left out. */
	run(feeds: Feeds, outputs?: readonly ValueName[]): Promise<Map<ValueName, Value>>;
	/** Runs the model with results written over `results`, whose `data` are arrays of onnxruntime's own kind; gives the `others`. */
	runInto(feeds: Feeds, results: Feeds, others?: readonly ValueName[]): Promise<Map<ValueName, Value>>;
	release(): Promise<void>;
};

type Level = 'disabled' | 'basic' | 'extended' | 'all';

export type SessionOptions = {
	/** Whose session it is, for messages: `original`, `reference`, `pruned`. */
	readonly which: string;
	readonly optimize?: Level;
	readonly threads?: number;
	/** Values to make fetchable beside the graph's outputs. */
	readonly extra?: readonly ValueName[];
};

let runtime: Promise<typeof Ort> | undefined;

function load(): Promise<typeof Ort> {
	runtime ??= import('onnxruntime-node').catch(() => {
		throw new Fault(noRuntime({}));
	});
	return runtime;
}

/** Of onnxruntime. */
export async function runtimeVersion(): Promise<string> {
	return (await load()).env.versions.node ?? '';
}

/** Whether onnxruntime can be loaded here. */
export async function hasRuntime(): Promise<boolean> {
	return load().then(
		() => true,
		() => false,
	);
}

/** Opens a session. Untouched weights are read from the model's own file, not copied. */
export async function openSession(
	model: Model,
	{ which, optimize = 'disabled', threads, extra = [] }: SessionOptions,
): Promise<Session> {
	const ort = await load();
	const whole = biased(model);
	const bare = bareAttention(whole.graph);
	if (bare !== undefined) throw new Fault(sessionFailed({ which, cause: endsProcess(bare) }));
	const { bytes, folder } = encodeForSession(extra.length === 0 ? whole : withOutputs(whole, extra));
	const fail = (problem: unknown): never => {
		throw new Fault(sessionFailed({ which, cause: (problem as Error).message.split('\n')[0] ?? '' }));
	};
	const session = await created(ort, { bytes, folder }, optimize, threads).catch(fail);
	const tensors = (values: Feeds): Record<string, Ort.Tensor> =>
		Object.fromEntries([...values].map(([name, value]) => [name, toOrt(ort, value)]));
	return {
		run: async (feeds, outputs) => {
			const wanted = outputs ?? session.outputNames;
			const results = await session.run(tensors(feeds), wanted).catch(fail);
			return new Map(Object.entries(results).flatMap(([name, tensor]) => fromOrt(name, tensor)));
		},
		runInto: async (feeds, results, others = []) => {
			const wanted = { ...tensors(results), ...Object.fromEntries(others.map((name) => [name, null])) };
			const found = await session.run(tensors(feeds), wanted).catch(fail);
			return new Map(others.flatMap((name) => fromOrt(name, present(found[name], name))));
		},
		release: () => session.release(),
	};
}

/** Without optimizations where that is asked for, and possible. */
async function created(
	ort: typeof Ort,
	{ bytes, folder }: { readonly bytes: Uint8Array; readonly folder: string | undefined },
	optimize: Level,
	threads: number | undefined,
): Promise<Ort.InferenceSession> {
	const create = (graphOptimizationLevel: Level): Promise<Ort.InferenceSession> =>
		ort.InferenceSession.create(bytes, {
			graphOptimizationLevel,
			logSeverityLevel: 4,
			...(threads !== undefined && { intraOpNumThreads: threads }),
			extra: {
				session: {
					intra_op: { allow_spinning: '0' },
					...(folder !== undefined && { model_external_initializers_file_folder_path: folder }),
				},
			},
		});
	return create(optimize).catch((problem: unknown) => {
		if (optimize !== 'disabled' || !isCastToItself(problem)) throw problem;
		return create('basic');
	});
}

/** A model that casts half precision to itself is loaded by onnxruntime 1.30 only where its optimizer takes such casts out first. */
const isCastToItself = (problem: unknown): boolean =>
	(problem as Error).message.includes('(InsertedPrecisionFreeCast_');

const endsProcess = (node: Node): string =>
	`${nodeLabel(node)} has no bias and computes its weight, which ends the process in onnxruntime 1.30`;

function withOutputs(model: Model, names: readonly ValueName[]): Model {
	const known = new Set(model.graph.outputs.map(({ name }) => name));
	// A half among the weights: then the type must be told, and is no float32 by itself.
	const facts = hasHalf(model) ? inferFacts(model, new Map()) : undefined;
	const extra = [...new Set(names)]
		.filter((name) => !known.has(name))
		.map((name) => ({ name, type: facts?.of(name)?.type ?? FLOAT }));
	return { ...model, graph: { ...model.graph, outputs: [...model.graph.outputs, ...extra] } };
}

type Typed = { readonly make: (data: ArrayLike<number>) => Ort.Tensor.DataType };
const makers: Readonly<Record<string, Typed['make']>> = {
	float32: (data) => (data instanceof Float32Array ? data : Float32Array.from(data)),
	float64: (data) => (data instanceof Float64Array ? data : Float64Array.from(data)),
	float16: (data) => Uint16Array.from(data, halfBits),
	int64: (data) => BigInt64Array.from(Array.from(data, toInt64)),
	uint64: (data) => BigUint64Array.from(Array.from(data, (value) => BigInt(Math.round(value)))),
	int32: (data) => Int32Array.from(data),
	uint32: (data) => Uint32Array.from(data),
	int16: (data) => Int16Array.from(data),
	uint16: (data) => Uint16Array.from(data),
	int8: (data) => Int8Array.from(data),
	uint8: (data) => Uint8Array.from(data),
	bool: (data) => Uint8Array.from(data),
};

function toOrt(ort: typeof Ort, { type, dims, data }: Value): Ort.Tensor {
	const name = elementType(type)?.name ?? 'float32';
	const make = present(makers[name], `feeds of ${name}`);
	return new ort.Tensor(name as 'float32', make(data) as Float32Array, dims);
}

function fromOrt(name: ValueName, tensor: Ort.OnnxValue): [ValueName, Value][] {
	const { type, dims, data } = tensor;
	if (!Array.isArray(dims) || type === 'string' || elementCount(dims) !== data.length) return [];
	const code = [...Array(27).keys()].find((at) => elementType(at)?.name === type) ?? FLOAT;
	if (data instanceof BigInt64Array || data instanceof BigUint64Array)
		return [[name, { type: code, dims, data: Float64Array.from(data, Number) }]];
	const numbers = data as unknown as ArrayLike<number>;
	return [
		[
			name,
			{
				type: code,
				dims,
				data:
					code === FLOAT16 && data instanceof Uint16Array ? Float64Array.from(numbers, halfValue) : numbers,
			},
		],
	];
}
