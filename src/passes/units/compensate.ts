/** Compensation: readers of removed units are refitted to what stays, by numbers that are computed while planning. */
import { present } from '../../diagnostic.ts';
import { nodeLabel, type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { hasBodies, twinned, type Twin } from '../../ir/graph/twin.ts';
import { type Gram, type GramRequest, type Lab, type SplitGram, type Walk } from '../../ir/lab.ts';
import { type Net } from '../../ir/axes/net.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { reestimated } from '../../numerics/batch-statistics.ts';
import { refit, type Refit, type RefitTask } from '../../numerics/refit.ts';
import { pickRows } from '../../numerics/statistics.ts';
import { rowsRead, weightMatrix, type Grams, type Reading } from '../scores/grams.ts';
import { batchNormsOf, channelsRead, recordNorm, type BatchNorm, type NormDecision } from './batch-norms.ts';
import { maskModel, type Mask } from './masks.ts';
import { recordRefit, refitted, type RefitDecision } from './refit-edits.ts';
import { residualSum, withoutBias, withTarget, type ResidualSum } from './residual-target.ts';
import { type Candidate, type Selected } from '../scores/select.ts';
import { type Compensated } from '../technique.ts';
import { type Reader } from './units.ts';

export type Compensation = {
	readonly refits: readonly RefitDecision[];
	readonly norms: readonly NormDecision[];
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
	/** Channels that stay of what a norm reads. */
	readonly keptOf: (norm: BatchNorm) => readonly number[];
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
 * are gone and whose readers before it are refitted, what it should put out is that of the model as it was. Batch normalizations on the
 * way get the statistics of what they read by then. What does not get better on held-out inputs stays as it is.
 */
export async function compensate(selected: readonly Selected[], task: Compensating): Promise<Compensation> {
	const readings: Refitting[] = [];
	for (const { candidate, units } of selected) {
		const gone = new Set(units);
		for (const reading of await task.grams.of(candidate)) {
			const { owners } = reading.reader;
			const kept = Array.from(owners.keys()).filter((at) => !gone.has(owners[at] ?? -1));
			readings.push({ candidate, reading, kept });
		}
	}
	const follow = new Following(task);
	for (const stage of stagesOf(task.net, readings, follow.changedNorms())) await follow.take(stage);
	const { refits, norms, tensors, told } = follow;
	return { refits, norms, tensors, told };
}

/** Readers and norms of which none reads what another one puts out. */
type Stage = { readonly readers: readonly Placed[]; readonly norms: readonly BatchNorm[] };

/** The model as it becomes while its readers are refitted one after another. */
class Following {
	readonly refits: RefitDecision[] = [];
	readonly norms: NormDecision[] = [];
	readonly tensors = new Map<string, Tensor>();
	readonly told: Compensated[] = [];
	private readonly task: Compensating;
	private readonly masked: Model | undefined;
	private readonly walk: Walk | undefined;
	/** Values that are as near as least squares come to what they were. */
	private readonly fitted = new Set<ValueName>();

	constructor(task: Compensating) {
		this.task = task;
		// Values inside of bodies cannot be measured in two models at once.
		if (task.biasAlone === true || hasBodies(task.net.model)) return;
		this.masked = maskModel(task.net, task.masks, 'masked');
		this.walk = task.lab.walk(task.net.model);
	}

	/** Norms that read something else where units are gone. */
	changedNorms(): readonly BatchNorm[] {
		if (this.masked === undefined) return [];
		const norms = batchNormsOf(this.task.net);
		const { of } = twinned(this.task.net.model, this.masked);
		return norms.filter(({ input }) => of(input.name) !== input.name);
	}

	async take({ readers, norms: all }: Stage): Promise<void> {
		// The variance that a least-squares fit leaves is the one of the least error.
		const norms = all.filter(({ input }) => !this.fitted.has(input.name));
		const found = await this.measure(readers, norms);
		for (const [at, one] of readers.entries()) await this.refit(one, found.readers[at]);
		norms.forEach((norm, at) => {
			this.reestimate(norm, present(found.norms[at], 'sums of a norm'));
		});
	}

	private async refit({ candidate, reading, kept }: Placed, seen: Seen | undefined): Promise<void> {
		const { reader } = reading;
		const { biasAlone = false, lab } = this.task;
		const asked = seen ?? { grams: reading.grams, kept, weight: weightMatrix(reader) };
		const what = `what ${candidate.label} reads`;
		const made = await refit({ ...asked, what, biasAlone }, lab.products);
		this.told.push(toldOf(candidate, made));
		if (made.choice === 'none') return;
		const decision = recordRefit(reader, whole(reader, kept, made.weight), made.shift, this.tensors);
		this.refits.push(decision);
		if (made.choice === 'affine') resultsOf(reader, decision).forEach((name) => this.fitted.add(name));
	}

	private reestimate(norm: BatchNorm, seen: SplitGram): void {
		const made = reestimated(seen, norm.statistics, this.task.keptOf(norm));
		const { choice, heldOut } = made;
		this.told.push({ layer: -1, norm: nodeLabel(norm.node.node), choice, residual: 0, heldOut });
		if (choice !== 'none') this.norms.push(recordNorm(norm, made, this.tensors));
	}

	/** What readers and norms read by now, and what readers should make of it: measured of the inputs that stay alone. */
	private async measure(readers: readonly Placed[], norms: readonly BatchNorm[]): Promise<Measured> {
		if (this.masked === undefined || this.walk === undefined || readers.length + norms.length === 0)
			return { readers: [], norms: [] };
		const twin = twinned(this.task.net.model, refitted(this.masked, this.refits, this.tensors, this.norms));
		let { model } = twin;
		const requests = readers.map(({ reading: { reader }, kept, residual }): GramRequest => {
			const rows = rowsRead(reader);
			const now = { ...rows, value: twin.of(rows.value), size: kept.length, only: kept };
			if (residual === undefined || twin.of(residual.skip.name) === residual.skip.name)
				return { ...now, against: rows };
			const target = withTarget(model, residual, twin);
			model = target.model;
			return { ...now, against: { ...residual.rows, value: target.value } };
		});
		const found = await this.walk.grams(model, [...requests, ...norms.map((norm) => bothRead(norm, twin))]);
		const seen = readers.map((reader, at) =>
			seenBy(reader, present(requests[at], 'a request'), present(found[at], 'a Gram matrix')),
		);
		return { readers: seen, norms: found.slice(readers.length) };
	}
}

type Seen = Omit<RefitTask, 'what'>;
type Measured = { readonly readers: readonly Seen[]; readonly norms: readonly SplitGram[] };

function seenBy({ reading, kept, residual }: Placed, { against }: GramRequest, now: SplitGram): Seen {
	const weight = weightMatrix(reading.reader);
	if (against?.value === rowsRead(reading.reader).value) return { grams: reading.grams, now, kept, weight };
	const part = (gram: Gram): Gram => withoutBias(gram, residual?.bias);
	const grams = { fit: part(now.fit), heldOut: part(now.heldOut) };
	return { grams, kept: Array.from(kept.keys()), weight: pickRows(weight, kept) };
}

/** What a norm reads by now, against what it read. */
function bothRead(norm: BatchNorm, twin: Twin): GramRequest {
	const rows = channelsRead(norm);
	return { ...rows, value: twin.of(rows.value), against: rows };
}

function toldOf({ layer }: Candidate, { choice, damping, residual, heldOut }: Refit): Compensated {
	return { layer, choice, ...(damping !== undefined && { damping }), residual, heldOut };
}

/** What a reader puts out, and the sum with its bias where that stands behind it. */
function resultsOf({ node }: Reader, { place }: RefitDecision): ValueName[] {
	const [raw] = node.outputs;
	if (raw === undefined) return [];
	const sum = place === undefined || place.node === node.node.id ? undefined : raw.consumers[0]?.outputs[0];
	return [raw.name, ...(sum ? [sum.name] : [])];
}

/**
 * Readers and norms by how many others stand before them: none of a stage reads what another one of it puts out. A residual value that
 * comes from beside or behind counts as it was: it is yet to be refitted.
 */
function stagesOf(net: Net, readings: readonly Refitting[], norms: readonly BatchNorm[]): Stage[] {
	const normOf = new Map(norms.map((norm) => [norm.node, norm]));
	const depths = new Map<ValueName, number>();
	const stages: { readers: Refitting[]; norms: BatchNorm[] }[] = [];
	for (const node of net.nodes) {
		const depth = Math.max(0, ...node.node.inputs.map((name) => depths.get(name) ?? 0));
		const own = readings.filter(({ reading }) => reading.reader.node === node);
		const norm = normOf.get(node);
		const isChanged = own.length > 0 || norm !== undefined;
		if (isChanged) {
			const stage = (stages[depth] ??= { readers: [], norms: [] });
			stage.readers.push(...own);
			if (norm) stage.norms.push(norm);
		}
		for (const name of node.node.outputs) depths.set(name, depth + Number(isChanged));
	}
	return stages.map((stage, depth) => ({
		...stage,
		readers: stage.readers.map((one) => {
			const residual = residualSum(one.reading.reader);
			const isSettled = residual !== undefined && (depths.get(residual.skip.name) ?? 0) <= depth;
			return { ...one, ...(isSettled && { residual }) };
		}),
	}));
}

/** The kept rows where they stood, zeros where the others were. */
function whole({ weight, weightAxis }: Reader, kept: readonly number[], { cols, data }: Matrix): Matrix {
	const result = matrix(weight.sizes[weightAxis] ?? 0, cols);
	kept.forEach((row, at) => {
		result.data.set(data.subarray(at * cols, (at + 1) * cols), row * cols);
	});
	return result;
}
