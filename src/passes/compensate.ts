/** Compensation: readers of removed units are refitted to what stays, by numbers that are computed while planning. */
import { present } from '../diagnostic.ts';
import { type Model, type Node, type Tensor } from '../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../ir/graph/patch.ts';
import { cutTensor, numbersOf, tensorOf } from '../ir/graph/tensor.ts';
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { refit, type Refit } from '../numerics/refit.ts';
import { storedNumbers, weightMatrix, type Grams, type Reading } from './grams.ts';
import { biasOf, withInput, type BiasPlace } from './bias.ts';
import { insert } from './edits.ts';
import { type Selected } from './select.ts';
import { type Compensated } from './technique.ts';
import { type Reader } from './units.ts';

/** A reader's new weight and bias, as JSON; the numbers are tensors of the plan. */
export type RefitDecision = {
	readonly node: number;
	readonly slot: number;
	/** The axis of the weight that tells its outputs. */
	readonly outputs: number;
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

/** Refits every linear reader of the selected units. What does not get better on held-out inputs stays as it is. */
export async function compensate(
	selected: readonly Selected[],
	grams: Grams,
	products: Products,
): Promise<Compensation> {
	const refits: RefitDecision[] = [];
	const tensors = new Map<string, Tensor>();
	const told: Compensated[] = [];
	for (const { candidate, units } of selected) {
		const gone = new Set(units);
		for (const reading of await grams.of(candidate)) {
			const kept = Array.from(reading.reader.owners.keys()).filter(
				(at) => !gone.has(reading.reader.owners[at] ?? -1),
			);
			const made = await refitReading(reading, kept, candidate.label, products);
			told.push({
				layer: candidate.layer,
				choice: made.choice,
				...(made.damping !== undefined && { damping: made.damping }),
				residual: made.residual,
				heldOut: made.heldOut,
			});
			if (made.choice !== 'none')
				refits.push(
					recordRefit(reading.reader, whole(reading.reader, kept, made.weight), made.shift, tensors),
				);
		}
	}
	return { refits, tensors, told };
}

function refitReading(
	{ reader, grams }: Reading,
	kept: readonly number[],
	label: string,
	products: Products,
): Promise<Refit> {
	return refit({ grams, kept, weight: weightMatrix(reader), what: `what ${label} reads` }, products);
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
	const outputs = weightAxis === 0 ? 1 : 0;
	const width = dims[outputs] ?? 0;
	const { place, constant, scale } = biasOf(node, width);
	const values = constant && numbersOf(constant);
	const alpha = numberOf(node.node, 'alpha', 1);
	const bias = summed(shift, width).map((value, at) => (values?.[at] ?? 0) + (value * alpha) / scale);
	tensors.set(names.bias, tensorOf(names.bias, type, [width], bias));
	return { node: id, slot, outputs, ...names, ...(place && { place }) };
}

/** Shifts of a filter at all places of its kernel add up. At borders that are padded with zeros it is a little too much. */
function summed(shift: Float64Array, outputs: number): Float64Array {
	const places = shift.length / outputs;
	return Float64Array.from({ length: outputs }, (_, at) =>
		shift.subarray(at * places, (at + 1) * places).reduce((sum, value) => sum + value, 0),
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
		const bias = cutAxes(present(tensors.get(names.bias), names.bias), [axes[outputs]]);
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
