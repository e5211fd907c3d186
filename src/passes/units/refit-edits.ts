/** Refits as edits: linear operators get new weights and biases, whose numbers are tensors of the plan. */
import { present } from '../../diagnostic.ts';
import { type Model, type Tensor } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { type Matrix } from '../../ir/matrix.ts';
import { storedNumbers } from '../scores/grams.ts';
import { biasOf, isRecurrent, withInput, type BiasPlace } from '../exact/bias.ts';
import { insert, numberOf } from '../edits.ts';
import { normEdits, type NormDecision } from './batch-norms.ts';
import { insideShares } from './borders.ts';
import { cutAxes, type Fit } from './fit.ts';
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

/** The model with its readers refitted and its norms' statistics replaced, units still in place. */
export function refitted(
	model: Model,
	refits: readonly RefitDecision[],
	tensors: ReadonlyMap<string, Tensor>,
	norms: readonly NormDecision[] = [],
): Model {
	if (refits.length + norms.length === 0) return model;
	const whole: Fit = () => [];
	const edits = [...refitEdits(model, refits, tensors, whole), ...normEdits(model, norms, tensors, whole)];
	return applyPatch(model, { label: 'refitted', edits });
}
