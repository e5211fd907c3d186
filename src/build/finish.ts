/** What becomes of a result: measured, judged, written, and told in a document. */
import { setImmediate as pause } from 'node:timers/promises';
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { type Loaded } from '../backends/onnx/load.ts';
import { stageModel, type Staged } from '../backends/onnx/save.ts';
import { measureDrift } from '../backends/ort/drift.ts';
import { type InputSet } from '../data/calibration.ts';
import { type BuildDocument, type CompileOptions, type StepReport } from '../document.ts';
import { costOf, type Cost } from '../ir/cost.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { type Model } from '../ir/graph/graph.ts';
import { opened } from '../ir/graph/open.ts';
import { type Kept } from '../ir/proof.ts';
import { type Recipe } from '../ir/recipe/recipe.ts';
import { otherLosses } from '../messages/folder.ts';
import { uncounted } from '../messages/plan.ts';
import { notMet } from '../messages/run.ts';
import { lossesOf } from '../model-folder/siblings.ts';
import { sidesOf } from '../model-folder/side-files.ts';
import { judgeExpectations, type Judged, type Measured } from '../passes/expect.ts';
import { isSlower } from '../vocabulary.ts';
import { sharesOf, slowerThanBefore, timeBoth, type Judging } from './judge.ts';
import { compareWith, withMetadata } from './provenance.ts';

/** A model on which every step was carried out, and what led to it. */
export type Carried = {
	readonly loaded: Loaded;
	readonly options: CompileOptions;
	readonly frame: BuildDocument;
	readonly judging: Judging;
	/** What its steps must take, as `lossesOf` says it, or nothing is written. */
	readonly losses: string | undefined;
	readonly recipe: Recipe | undefined;
	readonly shapes: Shapes;
	readonly inputs: InputSet;
	readonly steps: readonly StepReport[];
	readonly model: Model;
	readonly kept: Kept;
	readonly diagnostics: readonly Diagnostic[];
};

/** Writes beside the target, measures, and gives the file its name when all promises hold. Throws `Fault`; then nothing is left. */
export async function finish(carried: Carried): Promise<BuildDocument> {
	const { loaded, model, steps, losses, options } = carried;
	if (options.against !== undefined) compareWith(model, options.against, loaded.file.path);
	if (losses !== undefined && losses !== lossesOf(steps)) throw new Fault(otherLosses({}));
	const marked = model === loaded.model ? model : withMetadata(model, carried.frame.recipe.sha256);
	const { staged, notes } = stagedResult(carried, marked);
	try {
		const measured = await measure(carried, marked, staged);
		const expectations = judgeExpectations(carried.recipe?.expectations ?? [], measured);
		await pause();
		const wrong = [...unmet(expectations), ...slowerThanBefore(measured.latency, carried.recipe, isSlower)];
		settle(staged, wrong.length === 0, options);
		const diagnostics = [...carried.diagnostics, ...uncountedNotes(steps), ...notes, ...wrong];
		const told = { ok: wrong.length === 0, expectations, diagnostics };
		return { ...(await documentOf(carried, measured, staged)), ...told };
	} catch (problem) {
		staged?.discard();
		throw problem;
	}
}

function stagedResult(
	{ loaded, steps, shapes, options }: Carried,
	result: Model,
): { readonly staged?: Staged; readonly notes: readonly Diagnostic[] } {
	const { out, force } = options;
	if (out === undefined) return { notes: [] };
	const models = { original: loaded.model, result, shapes };
	const { target, notes } = sidesOf(loaded.file, out, steps, models);
	const how = { hash: true, ...(force && { force }), original: loaded };
	return { staged: stageModel(result, target, how), notes };
}

type Taken = Measured & Pick<BuildDocument, 'drift' | 'latency'>;

async function measure(carried: Carried, result: Model, staged: Staged | undefined): Promise<Taken> {
	const { loaded, recipe, shapes, kept, judging } = carried;
	const { threads } = judging;
	const [before, after] = costs(carried);
	const models = { original: loaded.model, pruned: result, kept };
	const drift = isDriftWanted(carried, result)
		? await measureDrift(models, carried.inputs.heldOut, threads)
		: undefined;
	const isVerified = carried.options.verify !== false;
	const accuracy = isVerified ? await sharesOf(recipe, models, shapes, judging) : undefined;
	const latency = isTimed(carried, result)
		? await timeBoth([loaded.model, result], shapes, threads)
		: undefined;
	return {
		before: { ...before, bytes: loaded.file.bytes },
		after: { ...after, ...(staged && { bytes: staged.bytes }) },
		...(drift && { drift }),
		...(accuracy && { accuracy }),
		...(latency && { latency }),
	};
}

/** An unchanged model has no drift; where a recipe promises what it is, it is measured all the same. */
function isDriftWanted({ loaded, recipe, options }: Carried, result: Model): boolean {
	return options.verify !== false && (result !== loaded.model || (recipe?.expectations ?? []).length > 0);
}

/** Twice the same model would differ by noise alone. */
function isTimed({ loaded, recipe, options }: Carried, result: Model): boolean {
	const isAsked = options.bench === true && result !== loaded.model;
	return isAsked || recipe?.expectations.some(({ subject }) => subject === 'latency') === true;
}

/** Of the model before the first step and after the last. */
function costs({ loaded, steps, shapes }: Carried): readonly [before: Cost, after: Cost] {
	const [first, last] = [steps.at(0), steps.at(-1)];
	if (first === undefined || last === undefined) {
		const model = opened(loaded.model);
		const cost = costOf(model, inferFacts(model, shapes));
		return [cost, cost];
	}
	return [
		{ params: first.params[0], macs: first.macs[0] },
		{ params: last.params[1], macs: last.macs[1] },
	];
}

/** A note where multiply–adds before the first step, or behind the last, leave operators out. */
function uncountedNotes(steps: Carried['steps']): Diagnostic[] {
	const [before, after] = [steps.at(0)?.uncounted?.[0] ?? 0, steps.at(-1)?.uncounted?.[1] ?? 0];
	return before + after > 0 ? [uncounted({ before, after })] : [];
}

function unmet(expectations: readonly Judged[]): Diagnostic[] {
	const words = (value: number | undefined): string =>
		value === undefined ? 'not measured' : value.toPrecision(4);
	return expectations.filter(({ ok }) => !ok).map(({ text, value }) => notMet({ text, value: words(value) }));
}

/** Gives the result its name when nothing is wrong with it. */
function settle(staged: Staged | undefined, isRight: boolean, options: CompileOptions): void {
	options.signal?.throwIfAborted();
	if (isRight || options.keepGoing === true) staged?.commit();
	else staged?.discard();
}

async function documentOf(
	{ loaded, frame, inputs, steps }: Carried,
	{ before, after, drift, latency }: Taken,
	staged: Staged | undefined,
): Promise<BuildDocument> {
	const { file, model } = loaded;
	const sha256 = await file.sha256();
	const { bytes: _, ...cost } = after;
	return {
		...frame,
		...(drift && { drift }),
		...(latency && { latency }),
		model: { path: file.path, sha256, ...before, opset: model.opsets.get('') ?? 0 },
		output: {
			...cost,
			...(staged && { path: staged.path, bytes: staged.bytes }),
			...(staged && { sha256: staged.sha256 ?? sha256 }),
		},
		inputs: inputs.words,
		steps,
		...worstProof(steps),
	};
}

function worstProof(steps: readonly StepReport[]): Pick<BuildDocument, 'proof'> {
	const proofs = steps.flatMap(({ proof }) => proof ?? []);
	// Where a goal or a condition took nothing, there is nothing for a control to show.
	const telling = steps.flatMap(({ proof, selected }) => (proof && selected > 0 ? [proof] : []));
	const weak = (telling.length > 0 ? telling : proofs).some((proof) => proof.weak);
	const worst = proofs.toSorted((a, b) => b.maxRel - a.maxRel)[0];
	return worst === undefined ? {} : { proof: { ...worst, weak } };
}
