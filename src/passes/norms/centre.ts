/**
 * Taking the mean over channels out of what is written to a residual stream: W becomes W − mean over outputs, tables and biases likewise
 * (SliceGPT, arXiv:2401.15024, section 3.2). What has no weight of its own, as a tied table or a model input, is centred while running.
 */
import { nodeLabel, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { INT64, isFloat } from '../../ir/graph/dtype.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';
import { intOf, numberOf } from '../edits.ts';
import { projectionAt, type Projection } from '../exact/projection.ts';
import { type Member, type Stream, subtractsOwnMean } from './residual-stream.ts';
import { type Rewriting } from '../exact/rewriting.ts';

/** How a writer loses its mean. */
type Centring =
	| { readonly kind: 'none' }
	| { readonly kind: 'constant'; readonly tensor: Tensor; readonly axis: number }
	| { readonly kind: 'projection'; readonly projection: Projection; readonly bias?: Tensor }
	/** At these values, whoever makes them. */
	| { readonly kind: 'running'; readonly label: string; readonly at: readonly ValueName[] };

/** A mean and a subtraction while running cost about what four norms save without theirs (bench of onnxruntime 1.30). */
const normsPerRunning = 4;

/** Centres whatever is written to a stream, or answers why not. */
export function centreWriters(r: Rewriting, stream: Stream): string | undefined {
	const plans = stream.writers.map((writer) => ({ writer, centring: centringOf(r, stream, writer) }));
	const running = plans.flatMap(({ centring }) => (centring.kind === 'running' ? [centring.label] : []));
	if (running.length * normsPerRunning > stream.norms.length)
		return `${running.slice(0, 2).join(' and ')} ${running.length === 1 ? 'writes' : 'write'} to the residual stream, and no stored weight takes the mean from that`;
	for (const { writer, centring } of plans) centre(r, stream, writer, centring);
	return undefined;
}

function centringOf(r: Rewriting, stream: Stream, { value, back }: Member): Centring {
	const tensor = r.constantOf(value);
	if (tensor !== undefined) return ofConstant(r, stream, tensor, back);
	const maker = r.makerOf(value);
	const at = [value];
	if (maker === undefined) return { kind: 'running', label: `the model input '${value}'`, at };
	if (subtractsOwnMean(r, maker) !== undefined && back === 1) return { kind: 'none' };
	const running: Centring = { kind: 'running', label: nodeLabel(maker), at };
	const projection = projectionAt(r, maker);
	if (typeof projection === 'string' || !writesChannels(r, projection, back)) return running;
	const bias = maker.op === 'MatMul' ? '' : (maker.inputs[2] ?? '');
	const stored = r.constantOf(bias);
	if (bias === '') return { kind: 'projection', projection };
	if (stored === undefined || r.numbers(bias)?.length !== projection.outputs) return running;
	return { kind: 'projection', projection, bias: stored };
}

/** Whether a projection puts its outputs along the stream's channels, each from all that it reads. */
function writesChannels(r: Rewriting, { node, outputs }: Projection, back: number): boolean {
	const sizes = r.sizesOf(node.outputs[0] ?? '') ?? [];
	if (sizes.at(-back) !== outputs) return false;
	if (node.op === 'Conv') return intOf(node, 'group', 1) === 1 && back === sizes.length - 1;
	return (node.op === 'MatMul' || node.op === 'Gemm') && back === 1;
}

/** A vector may be copied; a table that somebody else reads too, as a tied head does, would stand twice in the file. */
function ofConstant(r: Rewriting, { nodes }: Stream, tensor: Tensor, back: number): Centring {
	const shared = r.everyReader(tensor).find(({ id }) => !nodes.has(id));
	const axis = tensor.dims.length - back;
	const isVector = tensor.dims.every((dim, at) => dim === 1 || at === axis);
	const isStored = r.numbers(tensor.name) !== undefined && isFloat(tensor.type);
	if (isStored && (shared === undefined || isVector)) return { kind: 'constant', tensor, axis };
	const at = r
		.readersOf(tensor.name)
		.flatMap(({ id, outputs: [output = ''] }) => (nodes.has(id) ? [output] : []));
	const also = shared === undefined ? '' : `, which ${nodeLabel(shared)} reads too,`;
	return { kind: 'running', label: `the table '${tensor.name}'${also}`, at };
}

function centre(r: Rewriting, { nodes }: Stream, { value, back }: Member, centring: Centring): void {
	switch (centring.kind) {
		case 'none':
			return;
		case 'constant': {
			const { tensor, axis } = centring;
			const { dims, type } = tensor;
			const name = r.constant(`${value}_centred`, type, dims, centred(numbersOf(tensor), dims, axis));
			for (const reader of r.readersOf(value))
				if (nodes.has(reader.id))
					r.put({ ...reader, inputs: reader.inputs.map((input) => (input === value ? name : input)) });
			return;
		}
		case 'projection': {
			centreProjection(r, centring.projection, centring.bias);
			return;
		}
		case 'running': {
			for (const one of new Set(centring.at)) centreRunning(r, one, back);
		}
	}
}

function centreProjection(r: Rewriting, { node, weight }: Projection, bias: Tensor | undefined): void {
	const isTurned = node.op === 'Conv' || (node.op === 'Gemm' && numberOf(node, 'transB', 0) === 1);
	const values = centred(numbersOf(weight), weight.dims, isTurned ? 0 : 1);
	const next = r.setInput(node, 1, r.constant(`${weight.name}_centred`, weight.type, weight.dims, values));
	if (bias === undefined) return;
	const shift = centred(numbersOf(bias), bias.dims, bias.dims.length - 1);
	r.setInput(next, 2, r.constant(`${bias.name}_centred`, bias.type, bias.dims, shift));
}

/** Whoever reads the value reads it less its mean over the channels. */
function centreRunning(r: Rewriting, value: ValueName, back: number): void {
	const axis = (r.sizesOf(value)?.length ?? back) - back;
	const [less, mean] = [r.value(`${value}_centred`, value), r.value(`${value}_mean`)];
	r.reroute(value, less);
	insertMean(r, value, axis, mean);
	r.insert({
		name: '',
		op: 'Sub',
		domain: '',
		inputs: [value, mean],
		outputs: [less],
		attributes: new Map(),
	});
}

/** ReduceMean over one axis, which is kept; its axes are an input from opset 18 on. https://onnx.ai/onnx/operators/onnx__ReduceMean.html */
export function insertMean(r: Rewriting, value: ValueName, axis: number, output: ValueName): Node {
	const isInput = r.opset() >= 18;
	const attributes = new Map(isInput ? [] : [['axes', { kind: 'ints', value: [axis] } as const]]);
	const inputs = isInput ? [value, r.constant('axes', INT64, [1], [axis])] : [value];
	return r.insert({ name: '', op: 'ReduceMean', domain: '', inputs, outputs: [output], attributes });
}

/** Numbers less their mean along an axis, in double precision. */
function centred(numbers: ArrayLike<number>, dims: readonly number[], axis: number): Float64Array {
	const values = Float64Array.from(numbers);
	const size = dims[axis] ?? 1;
	const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
	for (let start = 0; start < values.length; start += size * inner)
		for (let offset = start; offset < start + inner; offset++) {
			let sum = 0;
			for (let at = 0; at < size; at++) sum += values[offset + at * inner] ?? 0;
			for (let at = 0; at < size; at++) {
				const index = offset + at * inner;
				values[index] = (values[index] ?? 0) - sum / size;
			}
		}
	return values;
}
