/**
 * Layers go, and a matrix before them takes up what they did: its new numbers also predict, from what it reads, what they added to the
 * residual sum, as far as a linear map can (after ReplaceMe, arXiv:2505.02819, whose map reads the block's output).
 */
import { present } from '../../diagnostic.ts';
import { residualAfter, type Sum } from '../../ir/anatomy/layers.ts';
import { linearOf, type Block, type Linear } from '../../ir/anatomy/parts.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch } from '../../ir/graph/patch.ts';
import { hasBodies, twinned } from '../../ir/graph/twin.ts';
import { type Lab, type SplitGram, type Walk } from '../../ir/lab.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { refit, type Refit } from '../../numerics/refit.ts';
import { biasOf } from '../exact/bias.ts';
import { recordRefit, refitEdits, type RefitDecision } from '../units/refit-edits.ts';
import { orient, rowsRead } from '../low-rank/factor-sites.ts';
import { withDifference } from '../units/residual-target.ts';
import { bypassEdits, type Bypass } from './skip-norms.ts';
import { type Compensated } from '../technique.ts';

/** The residual sum that a block ends in, and the matrix before it. */
export type End = { readonly sum: Sum; readonly down: Linear };

/** Layers that go. */
export type Gap = {
	/** The sum before them, whose matrix takes up what is missing until the sum `from`; absent where nothing can. */
	readonly taker?: {
		readonly layer: number;
		readonly end: End;
		readonly from: ValueName;
		/** What is read behind the gap, and what would be in its place, where norms follow the sums. */
		readonly norms?: { readonly before: ValueName; readonly after: ValueName };
	};
	/** What is bypassed where nothing is taken up. */
	readonly plain: readonly Bypass[];
};

export type Absorbed = {
	readonly refits: readonly RefitDecision[];
	readonly told: readonly Compensated[];
	/** Of each gap: from sum to sum where something is taken up. */
	readonly bypasses: readonly (readonly Bypass[])[];
};

type Taker = NonNullable<Gap['taker']>;

/** Where a block ends, or why that cannot be told. */
export function endOf(block: Block | undefined): End | { readonly why: string } {
	const down = block?.linears.at(-1);
	if (down !== undefined && linearOf(down.node) === undefined)
		return { why: 'its last matrix is of quantized numbers' };
	const sum = block && residualAfter(block.node);
	if (sum === undefined || down === undefined) return { why: 'its residual path could not be followed' };
	return sum.node.node.op === 'Add' ? { sum, down } : { why: 'the sum that ends it stands inside a norm' };
}

/** Why the matrix before a sum cannot absorb: its product, but for a bias, is not what the sum adds. */
export function notLinear({ sum, down }: End): string | undefined {
	if (rowsRead(down) === undefined) return 'its last matrix stands on the left, or is of quantized numbers';
	const { place } = biasOf(down.node, down.weight.sizes[down.outAxis] ?? 0);
	const behind = place === undefined || place.node === down.node.node.id ? down.node : undefined;
	let value = (behind ?? down.node.outputs[0]?.consumers[0])?.outputs[0];
	for (let steps = 0; steps < 4 && value !== undefined; steps++) {
		if (sum.node.inputs.includes(value)) return undefined;
		const [next, ...others] = value.consumers;
		value = others.length === 0 && next?.node.op === 'Reshape' ? next.outputs[0] : undefined;
	}
	return 'something stands between its last matrix and the sum';
}

/**
 * Regresses, gap by gap, what is missing behind each on what the matrix before it reads, and adds the map to the matrix. What is read is
 * that of the model whose gaps before are closed, what is wanted that of the model as it was: each makes up for those before it as well.
 */
export async function absorb(
	gaps: readonly Gap[],
	model: Model,
	lab: Lab,
	tensors: Map<string, Tensor>,
): Promise<Absorbed> {
	const absorbing = new Absorbing(model, lab, tensors);
	for (const gap of gaps) await absorbing.close(gap);
	return absorbing;
}

class Absorbing implements Absorbed {
	readonly refits: RefitDecision[] = [];
	readonly told: Compensated[] = [];
	readonly bypasses: (readonly Bypass[])[] = [];
	private readonly model: Model;
	private readonly lab: Lab;
	private readonly tensors: Map<string, Tensor>;
	/** Undefined with bodies: values inside of them cannot be measured in two models at once. */
	private readonly walk: Walk | undefined;

	constructor(model: Model, lab: Lab, tensors: Map<string, Tensor>) {
		this.model = model;
		this.lab = lab;
		this.tensors = tensors;
		this.walk = hasBodies(model) ? undefined : lab.walk(model);
	}

	/** New numbers; where those were better before norms alone, and not behind them, a new bias by itself; else neither. */
	async close({ taker, plain }: Gap): Promise<void> {
		if (taker === undefined) {
			this.bypasses.push(plain);
			return;
		}
		const changed = this.walk === undefined ? this.model : this.closed(this.refits, this.bypasses);
		const grams = await missing(taker, this.model, changed, this.walk ?? this.lab);
		const map = await mapOf(taker, grams, this.lab, false);
		let told = await this.take(taker, plain, map);
		if (map.choice === 'affine' && told.choice === 'none') {
			const { affine } = told.heldOut;
			const bias = await this.take(taker, plain, await mapOf(taker, grams, this.lab, true));
			told = { ...bias, heldOut: { ...bias.heldOut, affine } };
		}
		this.told.push(told);
		if (told.choice === 'none') this.bypasses.push(plain);
	}

	/** Closes the gap with a map where that is better than without. */
	private async take(taker: Taker, plain: readonly Bypass[], map: Refit): Promise<Compensated> {
		const { layer, end, from, norms } = taker;
		if (map.choice === 'none') return toldOf(layer, map);
		const refit = recordMap(end.down, map, this.tensors);
		const refits = [...this.refits, refit];
		const bypass = [{ from, to: end.sum.output.name }];
		const heldOut = norms
			? await this.behindNorms(norms, map.choice, this.closed(refits, [...this.bypasses, bypass]), plain)
			: map.heldOut;
		const isTaken = heldOut[map.choice] < heldOut.none;
		if (isTaken) {
			this.refits.push(refit);
			this.bypasses.push(bypass);
		} else for (const name of [refit.weight, refit.bias]) this.tensors.delete(name);
		return toldOf(layer, { ...map, heldOut, choice: isTaken ? map.choice : 'none' });
	}

	/**
	 * Where another norm follows the sum than would without: errors behind the norms, on held-out inputs, over the variance there, of what
	 * was chosen and of nothing; the other choice is not measured there.
	 */
	private async behindNorms(
		{ before, after }: NonNullable<Taker['norms']>,
		choice: 'affine' | 'bias',
		taken: Model,
		plain: readonly Bypass[],
	): Promise<Refit['heldOut']> {
		const wanted = await this.heldOut(this.model, after);
		const bare = await this.heldOut(this.closed(this.refits, [...this.bypasses, plain]), before);
		const own = errorShare(await this.heldOut(taken, after), wanted);
		return { ...{ affine: NaN, bias: NaN }, [choice]: own, none: errorShare(bare, wanted) };
	}

	private async heldOut(model: Model, value: ValueName): Promise<Matrix> {
		const { values } = await this.lab.rows(model, [value], 'held out');
		return present(values[0], value);
	}

	private closed(refits: readonly RefitDecision[], bypasses: readonly (readonly Bypass[])[]): Model {
		const edits = [
			...refitEdits(this.model, refits, this.tensors, () => []),
			...bypassEdits(this.model.graph, bypasses.flat()),
		];
		return edits.length === 0 ? this.model : applyPatch(this.model, { label: 'gaps closed', edits });
	}
}

function errorShare({ data }: Matrix, { rows, cols, data: wanted }: Matrix): number {
	const means = Array.from({ length: cols }, (_, col) => {
		let sum = 0;
		for (let row = 0; row < rows; row++) sum += wanted[row * cols + col] ?? 0;
		return sum / rows;
	});
	let [error, variance] = [0, 0];
	for (let at = 0; at < wanted.length; at++) {
		error += ((data[at] ?? 0) - (wanted[at] ?? 0)) ** 2;
		variance += ((wanted[at] ?? 0) - (means[at % cols] ?? 0)) ** 2;
	}
	return error / variance;
}

/** The matrix with the map added to it. */
function recordMap(down: Linear, { weight, shift }: Refit, tensors: Map<string, Tensor>): RefitDecision {
	const reader = { node: down.node, weight: down.weight, weightAxis: down.inAxis };
	return recordRefit(reader, added(down, weight), shift, tensors);
}

function toldOf(layer: number, { choice, damping, residual, heldOut }: Refit): Compensated {
	return { layer, choice, residual, heldOut, ...(damping !== undefined && { damping }) };
}

/** What the matrix reads by now, against what is missing behind its sum. */
async function missing(
	{ end: { sum, down }, from }: Taker,
	model: Model,
	changed: Model,
	runner: Pick<Lab, 'grams'>,
): Promise<SplitGram> {
	const twin = twinned(model, changed);
	const value = `${from}/missing`;
	const probe = withDifference(twin.model, from, twin.of(sum.output.name), value);
	const rank = sum.output.sizes.length;
	const against = { value, rank, axis: rank - 1, size: down.weight.sizes[down.outAxis] ?? 0 };
	const rows = present(rowsRead(down), 'a product with its matrix on the right');
	const [grams] = await runner.grams(probe, [{ ...rows, value: twin.of(rows.value), against }]);
	return present(grams, 'a Gram matrix');
}

/** From what the matrix reads to what is missing behind its sum: zero without evidence. */
function mapOf(
	{ layer, end: { down } }: Taker,
	grams: SplitGram,
	{ products }: Lab,
	biasAlone: boolean,
): Promise<Refit> {
	const [rows, cols] = [down.weight.sizes[down.inAxis] ?? 0, down.weight.sizes[down.outAxis] ?? 0];
	const kept = Array.from({ length: rows }, (_, at) => at);
	const what = `what layer ${layer} ends in`;
	return refit({ grams, kept, weight: matrix(rows, cols), what, biasAlone }, products);
}

function added({ weight, inAxis }: Linear, change: Matrix): Matrix {
	const { rows, cols, data } = orient(present(weight.constant, 'a weight'), inAxis === 0);
	return matrix(
		rows,
		cols,
		data.map((value, at) => value + (change.data[at] ?? 0)),
	);
}
