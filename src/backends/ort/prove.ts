/** The proof: a rewritten model equals its plain graphs, on real runs, to rounding. */
import { bug, Fault } from '../../diagnostic.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { FLOAT16 } from '../../ir/graph/dtype.ts';
import { jittered } from '../../ir/graph/jitter.ts';
import { type Claim, type Kept, type OutputError, type Proof } from '../../ir/proof.ts';
import { boundedOutputs } from '../../ir/graph/bounded.ts';
import { unsignedMatrices } from '../../ir/graph/unsigned.ts';
import { cutFeeds, cutValue, distance, largest, runAll as run, type Runs } from './runs.ts';
import { type Feeds, type Value } from './session.ts';

export type StepModels = {
	readonly original: Model;
	readonly pruned: Model;
	readonly claims: readonly Claim[];
	readonly kept: Kept;
	readonly weights: Proof['weights'];
};

/** Runs a model with integer products that are the same whatever stands next to what. */
const runAll: typeof run = (model, ...rest) => run(unsignedMatrices(model), ...rest);

/** Proves one step. Sessions are opened one after another; the tolerance is the original's own rounding, measured. */
export async function proveStep(
	models: StepModels,
	feeds: readonly Feeds[],
	threads: number,
): Promise<Proof> {
	return proveOn(await runAll(models.original, 'original', feeds, { threads }), models, feeds, threads);
}

/** The same on drawn weights; undefined where the model does not run with them, as a detector that finds nothing may not. */
export async function proveDrawn(
	models: StepModels,
	feeds: readonly Feeds[],
	threads: number,
): Promise<Proof | undefined> {
	const original = await runsOf(models.original, 'original', feeds, threads);
	return original && proveOn(original, models, feeds, threads);
}

async function proveOn(
	original: Runs,
	models: StepModels,
	feeds: readonly Feeds[],
	threads: number,
): Promise<Proof> {
	const optimized = await runAll(models.original, 'original', feeds, { optimize: 'all', threads });
	const proofs: Proof[] = [];
	for (const claim of models.claims)
		proofs.push(await proveClaim(claim, models, { original, optimized }, feeds, threads));
	return worstOf(proofs);
}

type Baseline = { readonly original: Runs; readonly optimized: Runs };

async function proveClaim(
	claim: Claim,
	{ pruned: after, kept, weights }: StepModels,
	baseline: Baseline,
	feeds: readonly Feeds[],
	threads: number,
): Promise<Proof> {
	const reference = await runAll(claim.reference, 'reference', feeds, { threads });
	const [model, small] = [claim.rewritten?.(after) ?? after, cutFeeds(feeds, kept)];
	const pruned = await runAll(model, 'pruned', small, { threads });
	const fast = await runAll(model, 'pruned', small, { optimize: 'all', threads });
	const runs = { ...baseline, reference, pruned, fast };
	const names = [...(baseline.original[0]?.keys() ?? [])].filter((name) => pruned[0]?.has(name));
	const bounded = boundedOutputs(claim.reference);
	const judged = (moves: readonly Moves[]): OutputError[] =>
		names.map((name) => judge(name, kept.get(name), { ...runs, moves }, bounded.has(name)));
	let errors = judged([]);
	const moves: Moves[] = [];
	for (const noise of noises(claim.reference, model, runs, { feeds, small, kept, threads })) {
		if (errors.every(({ maxAbs, tolerance }) => maxAbs <= tolerance)) break;
		moves.push(await noise());
		errors = judged(moves);
	}
	const { outputs, stops } = await withControls(errors, claim, runs, kept, feeds, threads);
	const worst = outputs.reduce((a, b) => (exhausts(b) > exhausts(a) ? b : a), outputs[0] ?? none);
	return {
		reference: claim.says,
		weights,
		ok: outputs.length > 0 && outputs.every(({ maxAbs, tolerance }) => maxAbs <= tolerance),
		samples: feeds.length,
		maxAbs: worst.maxAbs,
		maxRel: worst.maxRel,
		tolerance: worst.tolerance,
		effect: Math.max(0, ...outputs.map(({ effect }) => effect)),
		control: Math.max(0, ...outputs.map((output) => output.control)),
		...(stops && { stops }),
		weak: !outputs.some(shows) && !stops,
		outputs,
	};
}

/** How far rounding moved an output on one of the inputs. */
type Moves = (name: ValueName, at: number) => number;

/**
 * New weights may make a graph more sensitive to rounding than the original was: then the reference's own is measured too. Where both
 * runs add in the same order that shows nothing, and what one unit in the last place of the weights comes to at the outputs is the
 * measure: a recurrent state, or a logarithm of next to nothing, makes a hundred times as much of it as a layer does. The rewritten
 * graph's weights are moved last: terms of a canonical decomposition nearly cancel each other, and the rest carries the rounding of the
 * large.
 */
function noises(
	reference: Model,
	rewritten: Model,
	runs: Pick<Compared, 'reference' | 'pruned'>,
	on: { feeds: readonly Feeds[]; small: readonly Feeds[]; kept: Kept; threads: number },
): readonly (() => Promise<Moves>)[] {
	const { feeds, small, kept, threads } = on;
	const ofReference = async (model: Model, optimize: 'all' | 'disabled'): Promise<Moves> => {
		const moved = await runAll(model, 'reference', feeds, { optimize, threads });
		return apart(runs.reference, moved, kept);
	};
	return [
		() => ofReference(reference, 'all'),
		() => ofReference(jittered(reference, 1), 'disabled'),
		async () =>
			apart(runs.pruned, await runAll(jittered(rewritten, 1), 'pruned', small, { threads }), new Map()),
	];
}

/** Other shapes are no rounding: such a run measures nothing. */
function apart(one: Runs, other: Runs, kept: Kept): Moves {
	return (name, at) => {
		const [left, right] = [one, other].map((runs) => {
			const value = runs[at]?.get(name);
			return value && cutValue(value, kept.get(name));
		});
		const far = left === undefined ? 0 : distance(left, right);
		return isFinite(far) ? far : 0;
	};
}

const none: OutputError = { name: '', maxAbs: 0, maxRel: 0, tolerance: 0, effect: 0, control: 0 };
/** How much of its tolerance an output's error takes: outputs of other ranges have other ones. */
const exhausts = ({ maxAbs, tolerance }: OutputError): number => (maxAbs === 0 ? 0 : maxAbs / tolerance);

/** A mistake would move this output by 100 tolerances. */
const shows = ({ control, tolerance }: OutputError): boolean => control > 0 && control >= 100 * tolerance;

/** Runs the controls until one moves an output visibly; whether any stopped. */
async function withControls(
	errors: readonly OutputError[],
	claim: Claim,
	{ reference }: Pick<Compared, 'reference'>,
	kept: Kept,
	feeds: readonly Feeds[],
	threads: number,
): Promise<{ readonly outputs: readonly OutputError[]; readonly stops: boolean }> {
	let [outputs, stops] = [errors, false];
	for (const control of claim.controls) {
		const moved = await runsOf(control(), 'control', feeds, threads);
		const moves = outputs.map(({ name }) => moveOf(name, kept, reference, moved));
		stops ||= claim.isSpoiled === true && moves.some((move) => !isFinite(move));
		outputs = outputs.map((output, at) => {
			const move = moves[at] ?? 0;
			return { ...output, control: Math.max(output.control, isFinite(move) ? move : 0) };
		});
		if (outputs.some(shows)) break;
	}
	return { outputs, stops };
}

/** Undefined where a model does not run, as with a spoiled number that sizes are computed from. */
async function runsOf(
	model: Model,
	which: string,
	feeds: readonly Feeds[],
	threads: number,
): Promise<Runs | undefined> {
	try {
		return await runAll(model, which, feeds, { threads });
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		return undefined;
	}
}

function moveOf(name: ValueName, kept: Kept, reference: Runs, moved: Runs | undefined): number {
	const distances = reference.map((values, at) => {
		const expected = values.get(name);
		if (expected === undefined || !isFinite(largest(expected))) return 0;
		const other = moved?.[at]?.get(name);
		return distance(
			cutValue(expected, kept.get(name)),
			other === undefined ? undefined : cutValue(other, kept.get(name)),
		);
	});
	return Math.max(0, ...distances);
}

type Compared = {
	readonly original: Runs;
	readonly optimized: Runs;
	readonly reference: Runs;
	/** Of rounding alone; none where nobody asked. */
	readonly moves: readonly Moves[];
	readonly pruned: Runs;
	readonly fast: Runs;
};

function judge(
	name: ValueName,
	kept: ReadonlyMap<number, Int32Array> | undefined,
	runs: Compared,
	bounded: boolean,
): OutputError {
	let [plain, fast, given, left, own, effect, half] = [0, 0, 0, 0, 0, 0, false];
	for (const [at, values] of runs.original.entries()) {
		const pick = (all: Runs): Value | undefined => all[at]?.get(name);
		const [original, reference, optimized] = [
			values.get(name),
			pick(runs.reference),
			pick(runs.optimized),
		].map((value) => value && cutValue(value, kept));
		if (original === undefined || reference === undefined || optimized === undefined) continue;
		if (!isFinite(largest(original))) continue;
		half ||= original.type === FLOAT16;
		given = Math.max(given, largest(original));
		left = Math.max(left, largest(reference));
		const rounding = distance(original, optimized);
		own = Math.max(own, isFinite(rounding) ? rounding : 0, ...runs.moves.map((moves) => moves(name, at)));
		effect = Math.max(effect, distance(ruledOutAs(reference, original), reference));
		plain = Math.max(plain, distance(reference, pick(runs.pruned)));
		fast = Math.max(fast, distance(reference, pick(runs.fast)));
	}
	return { name, effect, control: 0, ...verdict({ plain, fast, given, left, own, half, bounded }) };
}

/** A value that rules out what `reference` does: scores that go are no distance, the plan tells their number. */
function ruledOutAs(reference: Value, value: Value): Value {
	if (!Array.from(reference.data).includes(-Infinity)) return value;
	const data = Float64Array.from(value.data, (score, at) =>
		reference.data[at] === -Infinity ? -Infinity : score,
	);
	return { ...value, data };
}

type Measured = {
	/** Error without optimizations and with them. */
	readonly plain: number;
	readonly fast: number;
	/** Largest magnitude of the output before the step, and of the reference. */
	readonly given: number;
	readonly left: number;
	/** The original's own difference between optimizations off and on, or what rounding moves the reference or the rewritten graph by. */
	readonly own: number;
	readonly half: boolean;
	/** The output comes out of a function onto [-1, 1]. */
	readonly bounded: boolean;
};

/**
 * The narrowest tolerance that the errors keep. Without optimizations both graphs run the same kernels, so rounding is all that may
 * differ; it is rounding of what is left, unless a saturated output makes that next to nothing. With optimizations quantized chains
 * become integer kernels that differ by a step: there the original's own difference is the measure.
 */
function verdict(measured: Measured): Pick<OutputError, 'maxAbs' | 'maxRel' | 'tolerance'> {
	const { plain, fast, given, left, own, half, bounded } = measured;
	// float32 sums of a few thousand terms differ by about 1e-6 of the largest; half precision carries 11 bits.
	const rounding = half ? 1e-2 : 1e-5;
	const scale = Math.max(given, left);
	// Kernels of sigmoids and softmaxes are off by a few units in the last place of 1, however small the result.
	const floor = bounded ? 2 ** -21 : 0;
	const loose = Math.max(rounding * scale, 8 * own, floor);
	const strict = [rounding * left, rounding * scale, floor].find(
		(tolerance) => plain <= tolerance && tolerance > 0,
	);
	const equal = strict !== undefined && fast <= loose;
	const maxAbs = equal ? plain : Math.max(plain, fast);
	return { maxAbs, maxRel: scale > 0 ? maxAbs / scale : maxAbs, tolerance: equal ? strict : loose };
}

/** A step is as right as its worst claim, and as weak as its weakest. */
function worstOf(proofs: readonly Proof[]): Proof {
	const [first, ...rest] = proofs;
	if (first === undefined) return bug('a step that claims nothing');
	return rest.reduce((worst, proof) => {
		const next = !proof.ok || (worst.ok && proof.maxRel > worst.maxRel) ? proof : worst;
		return { ...next, ok: worst.ok && proof.ok, weak: worst.weak || proof.weak };
	}, first);
}
