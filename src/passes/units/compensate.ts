/** Compensation: readers of removed units are refitted to what stays, by numbers that are computed while planning. */
import { present } from '../../diagnostic.ts';
import { type Model, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { cutTensor } from '../../ir/graph/gather.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { hasBodies, twinned } from '../../ir/graph/twin.ts';
import { type Gram, type GramRequest, type Lab, type Walk } from '../../ir/lab.ts';
import { type Net, type NetNode } from '../../ir/axes/net.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { refit, type RefitTask } from '../../numerics/refit.ts';
import { pickRows } from '../../numerics/statistics.ts';
import { rowsRead, storedNumbers, weightMatrix, type Grams, type Reading } from '../scores/grams.ts';
import { biasOf, isRecurrent, withInput, type BiasPlace } from '../exact/bias.ts';
import { insideShares } from './borders.ts';
import { insert } from '../edits.ts';
import { maskModel, type Mask } from './masks.ts';
import { residualSum, withoutBias, withTarget, type ResidualSum } from './residual-target.ts';
import { type Candidate, type Selected } from '../scores/select.ts';
import { type Compensated } from '../technique.ts';
import { type Reader } from './units.ts';

/** A reader's new weight and bias, as JSON; the numbers are tensors of the plan. */
export type RefitDecision = {
	readonly node: number;
	readonly slot: number;
	/** The axis of the weight that tells its outputs; absent where the bias has axes of its own, as a recurrent layer's. */
	readonly outputs?: number;
	/** Names in the plan's tensors. Both are whole, the weight with zeros where inputs went. */
	readonly weight: string;
	readonly bias: string;
	/** The constant that holds the bias: an operand of the node itself or of an addition after it; absent: an addition is put in. */
	readonly place?: BiasPlace;
};

export type Compensation = {
	readonly refits: readonly RefitDecision[];
	readonly tensors: ReadonlyMap<string, Tensor>;
	readonly told: readonly Compensated[];
};

/** What the readers are refitted for. */
export type Compensating = {
	readonly net: Net;
	readonly grams: Grams;
	readonly lab: Lab;
	/** What the reference multiplies with zero. */
	readonly masks: readonly Mask[];
	/** New biases and no new weights, each reader by itself. */
	readonly biasAlone?: boolean;
};

type Refitting = {
	readonly candidate: Candidate;
	readonly reading: Reading;
	readonly kept: readonly number[];
};
type Placed = Refitting & { readonly residual?: ResidualSum };

/**
 * Refits every linear reader of the selected units, one after another along the graph: what it reads is that of the model whose units
 * are gone and whose readers before it are refitted, what it should put out is that of the model as it was. What does not get better on
 * held-out inputs stays as it is.
 */
export async function compensate(selected: readonly Selected[], task: Compensating): Promise<Compensation> {
	const { net, grams, lab } = task;
	const told: Compensated[] = [];
	const readings: Refitting[] = [];
	for (const { candidate, units } of selected) {
		const gone = new Set(units);
		for (const reading of await grams.of(candidate)) {
			const { owners } = reading.reader;
			const kept = Array.from(owners.keys()).filter((at) => !gone.has(owners[at] ?? -1));
			readings.push({ candidate, reading, kept });
		}
	}
	const follow = new Following(task);
	for (const stage of stagesOf(net, readings)) {
		const seen = await follow.read(stage);
		for (const [at, { candidate, reading, kept }] of stage.entries()) {
			const { reader } = reading;
			const asked = seen[at] ?? { grams: reading.grams, kept, weight: weightMatrix(reader) };
			const what = `what ${candidate.label} reads`;
			const made = await refit({ ...asked, what, biasAlone: task.biasAlone === true }, lab.products);
			told.push({
				layer: candidate.layer,
				choice: made.choice,
				...(made.damping !== undefined && { damping: made.damping }),
				residual: made.residual,
				heldOut: made.heldOut,
			});
			if (made.choice !== 'none')
				follow.refits.push(recordRefit(reader, whole(reader, kept, made.weight), made.shift, follow.tensors));
		}
	}
	return { refits: follow.refits, tensors: follow.tensors, told };
}

/** The model as it becomes while its readers are refitted one after another. */
class Following {
	readonly refits: RefitDecision[] = [];
	readonly tensors = new Map<string, Tensor>();
	private readonly task: Compensating;
	private readonly masked: Model | undefined;
	private readonly walk: Walk | undefined;

	constructor(task: Compensating) {
		this.task = task;
		// Values inside of bodies cannot be measured in two models at once.
		if (task.biasAlone === true || hasBodies(task.net.model)) return;
		this.masked = maskModel(task.net, task.masks, 'masked');
		this.walk = task.lab.walk(task.net.model);
	}

	/** What readers read by now, and what they should make of it: measured of the inputs that stay alone. */
	async read(stage: readonly Placed[]): Promise<readonly Omit<RefitTask, 'what'>[]> {
		if (this.masked === undefined || this.walk === undefined) return [];
		const twin = twinned(this.task.net.model, refitted(this.masked, this.refits, this.tensors));
		let { model } = twin;
		const requests = stage.map(({ reading: { reader }, kept, residual }): GramRequest => {
			const rows = rowsRead(reader);
			const now = { ...rows, value: twin.of(rows.value), size: kept.length, only: kept };
			if (residual === undefined || twin.of(residual.skip.name) === residual.skip.name)
				return { ...now, against: rows };
			const target = withTarget(model, residual, twin);
			model = target.model;
			return { ...now, against: { ...residual.rows, value: target.value } };
		});
		const found = await this.walk.grams(model, requests);
		return stage.map(({ reading, kept, residual }, at) => {
			const now = present(found[at], 'a Gram matrix');
			const weight = weightMatrix(reading.reader);
			if (requests[at]?.against?.value === rowsRead(reading.reader).value)
				return { grams: reading.grams, now, kept, weight };
			const part = (gram: Gram): Gram => withoutBias(gram, residual?.bias);
			const grams = { fit: part(now.fit), heldOut: part(now.heldOut) };
			return { grams, kept: Array.from(kept.keys()), weight: pickRows(weight, kept) };
		});
	}
}

/**
 * Readers by how many others stand before them: none of a stage reads what another one of it puts out. A residual value that comes from
 * beside or behind counts as it was: it is yet to be refitted.
 */
function stagesOf(net: Net, readings: readonly Refitting[]): Placed[][] {
	const byNode = new Map<NetNode, Refitting[]>();
	for (const one of readings) {
		const { node } = one.reading.reader;
		byNode.set(node, [...(byNode.get(node) ?? []), one]);
	}
	const depths = new Map<ValueName, number>();
	const stages: Refitting[][] = [];
	for (const node of net.nodes) {
		const depth = Math.max(0, ...node.node.inputs.map((name) => depths.get(name) ?? 0));
		const own = byNode.get(node) ?? [];
		if (own.length > 0) stages[depth] = [...(stages[depth] ?? []), ...own];
		for (const name of node.node.outputs) depths.set(name, depth + (own.length > 0 ? 1 : 0));
	}
	return stages.map((stage, depth) =>
		stage.map((one) => {
			const residual = residualSum(one.reading.reader);
			const isSettled = residual !== undefined && (depths.get(residual.skip.name) ?? 0) <= depth;
			return { ...one, ...(isSettled && { residual }) };
		}),
	);
}

/** The kept rows where they stood, zeros where the others were. */
function whole({ weight, weightAxis }: Reader, kept: readonly number[], { cols, data }: Matrix): Matrix {
	const result = matrix(weight.sizes[weightAxis] ?? 0, cols);
	kept.forEach((row, at) => {
		result.data.set(data.subarray(at * cols, (at + 1) * cols), row * cols);
	});
	return result;
}

/**
 * A linear operator with another weight (inputs × outputs), and `shift` added to what it puts out before its scale: the numbers go to
 * the plan's tensors.
 */
export function recordRefit(
	{ node, weight: old, weightAxis }: Pick<Reader, 'node' | 'weight' | 'weightAxis'>,
	weight: Matrix,
	shift: Float64Array,
	tensors: Map<string, Tensor>,
): RefitDecision {
	const { id } = node.node;
	const slot = node.inputs.indexOf(old);
	const { type, dims } = present(old.constant, 'a weight');
	const names = { weight: `${id}.weight`, bias: `${id}.bias` };
	tensors.set(names.weight, tensorOf(names.weight, type, dims, storedNumbers(weight, dims, weightAxis)));
	if (isRecurrent(node)) {
		tensors.set(names.bias, { ...gateBias(node, shift), name: names.bias });
		return { node: id, slot, ...names, place: { node: id, slot: 3 } };
	}
	const outputs = weightAxis === 0 ? 1 : 0;
	const width = dims[outputs] ?? 0;
	const { place, constant, scale } = biasOf(node, width);
	const values = constant && numbersOf(constant);
	const alpha = numberOf(node.node, 'alpha', 1);
	const bias = summed(shift, width, node).map((value, at) => (values?.[at] ?? 0) + (value * alpha) / scale);
	tensors.set(names.bias, tensorOf(names.bias, type, [width], bias));
	return { node: id, slot, outputs, ...names, ...(place && { place }) };
}

/** Biases of the sequence and of the state lie one after the other in each direction; the first take the shift. */
function gateBias({ inputs }: NetNode, shift: Float64Array): Tensor {
	const { name, type, dims } = present(inputs[3]?.constant, 'biases');
	const [directions = 1, both = 0] = dims;
	const [values, gates] = [Float64Array.from(numbersOf(present(inputs[3]?.constant, 'biases'))), both / 2];
	for (let at = 0; at < directions * gates; at++) {
		const place = Math.floor(at / gates) * both + (at % gates);
		values[place] = (values[place] ?? 0) + (shift[at] ?? 0);
	}
	return tensorOf(name, type, dims, values);
}

/** Shifts of a filter at all places of its kernel add up; one that falls on zeros around the input now and then counts as often as not. */
function summed(shift: Float64Array, outputs: number, node: NetNode): Float64Array {
	const places = shift.length / outputs;
	const shares = insideShares(node, places);
	return Float64Array.from({ length: outputs }, (_, at) =>
		shift
			.subarray(at * places, (at + 1) * places)
			.reduce((sum, value, place) => sum + value * (shares[place] ?? 1), 0),
	);
}

function numberOf({ attributes }: Node, name: string, absent: number): number {
	const attribute = attributes.get(name);
	return attribute?.kind === 'float' || attribute?.kind === 'int' ? attribute.value : absent;
}

/**
 * Edits that give readers their new weights and biases, for a model whose units are masked (all fit) or cut. Nodes are
 * taken as the model has them now; their numbers are those of the model before.
 */
export function refitEdits(
	model: Model,
	refits: readonly RefitDecision[],
	tensors: ReadonlyMap<string, Tensor>,
	fit: Fit,
): Edit[] {
	const fresh = freshNames(model.graph);
	const nodes = new Map(model.graph.nodes.map((node) => [node.id, node]));
	const edits: Edit[] = [];
	const constant = (tensor: Tensor, base: string): string => {
		const name = fresh(`${base}_refitted`);
		edits.push({ kind: 'constant', tensor: { ...tensor, name } });
		return name;
	};
	const setInput = (id: number, slot: number, name: string): void => {
		nodes.set(id, withInput(present(nodes.get(id), 'a node that is refitted'), slot, name));
	};
	for (const { node: id, slot, outputs, place, ...names } of refits) {
		const axes = fit(id, slot);
		const weight = cutAxes(present(tensors.get(names.weight), names.weight), axes);
		const ofBias = outputs === undefined && place ? fit(place.node, place.slot) : [axes[outputs ?? 0]];
		const bias = cutAxes(present(tensors.get(names.bias), names.bias), ofBias);
		const base = nodes.get(id)?.inputs[slot] ?? 'weight';
		setInput(id, slot, constant(weight, base));
		if (place !== undefined) {
			const old = nodes.get(place.node)?.inputs[place.slot] ?? 'bias';
			setInput(place.node, place.slot, constant(bias, old));
		} else {
			const node = present(nodes.get(id), 'a node that is refitted');
			const [output = ''] = node.outputs;
			const before = fresh(`${output}_before_bias`);
			nodes.set(id, { ...node, outputs: [before, ...node.outputs.slice(1)] });
			edits.push(insert('Add', [before, constant(bias, `${base}_bias`)], output));
		}
	}
	const touched = new Set(refits.flatMap(({ node, place }) => (place ? [node, place.node] : [node])));
	for (const id of touched)
		edits.push({ kind: 'node', node: present(nodes.get(id), 'a node that is refitted') });
	return edits;
}

/** Positions that stay of each axis of a node's operand; undefined where all do. */
export type Fit = (node: number, slot: number) => readonly (Int32Array | undefined)[];

function cutAxes(tensor: Tensor, axes: readonly (Int32Array | undefined)[]): Tensor {
	return axes.reduce((current, kept, axis) => (kept ? cutTensor(current, axis, [...kept]) : current), tensor);
}

/** The model with its readers refitted, units still in place. */
export function refitted(
	model: Model,
	refits: readonly RefitDecision[],
	tensors: ReadonlyMap<string, Tensor>,
): Model {
	if (refits.length === 0) return model;
	return applyPatch(model, { label: 'refitted', edits: refitEdits(model, refits, tensors, () => []) });
}
