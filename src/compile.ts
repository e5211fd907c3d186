/** The pipeline: recipe and model in, smaller model and its proof out. Read this first. */
import { setImmediate as pause } from 'node:timers/promises';
import { checkedRecipe } from './checked-recipe.ts';
import { Fault, type Diagnostic } from './diagnostic.ts';
import { type Loaded } from './backends/onnx/load.ts';
import { stageModel, type Staged } from './backends/onnx/save.ts';
import { labOf } from './backends/ort/lab.ts';
import { measureDrift } from './backends/ort/drift.ts';
import { usualMemory, type StatisticsMemory } from './backends/ort/remember.ts';
import { lexiconOf } from './data/lexicon.ts';
import { readInputs, type InputOptions, type InputSet } from './data/calibration.ts';
import { costOf, type Cost } from './ir/cost.ts';
import { type Shapes } from './ir/graph/bindings.ts';
import { inferFacts } from './ir/graph/facts.ts';
import { type Model } from './ir/graph/graph.ts';
import { opened } from './ir/graph/open.ts';
import { type Lab } from './ir/lab.ts';
import { type Kept, type Proof } from './ir/proof.ts';
import { type Recipe } from './ir/recipe/recipe.ts';
import { unmetRequirements } from './ir/requirements.ts';
import { otherLosses } from './messages/folder.ts';
import { notMet, proofWeak } from './messages/run.ts';
import { judgeExpectations, type Judged } from './passes/expect.ts';
import { type Done } from './passes/carry-out.ts';
import { runPlan, runRecipe, type RunOptions } from './passes/run.ts';
import { type BuildDocument, type CompileOptions, type StepReport } from './document.ts';
import { judgeResult, sharesOf, slowerThanBefore, timeBoth, type Judging } from './judge.ts';
import { isSlower } from './vocabulary.ts';
import { sidesOf } from './side-files.ts';
import { lossesOf, withoutSiblings, withSiblings } from './siblings.ts';
import { guarded } from './guarded.ts';
import { readPlan, writePlan, type PlanDocument } from './plan-file.ts';
import { proveDone } from './prove-done.ts';
import { compareWith, withMetadata } from './provenance.ts';

/**
 * Compiles a recipe on a model, and on the other models of a folder. Mistakes of the user come back in `diagnostics`, with
 * `ok: false`.
 */
export async function compile(options: CompileOptions): Promise<BuildDocument> {
	return withSiblings(await compileOne(options), options, compileOne);
}

/** @param losses what its steps must take, as `lossesOf` says it, or nothing is written. */
async function compileOne(options: CompileOptions, losses?: string): Promise<BuildDocument> {
	const { recipe, diagnostics, frame } = checkedRecipe(options);
	if (recipe === undefined) return frame;
	return guarded(frame, options.model, (loaded) =>
		new Build(loaded, options, { ...frame, diagnostics }, losses).recipe(recipe),
	);
}

/** Carries out a plan file on the model that it was made for. */
export async function applyPlan(
	planPath: string,
	options: Omit<CompileOptions, 'recipe'>,
): Promise<BuildDocument> {
	const frame: BuildDocument = {
		schema: 'prunec/build@1',
		ok: false,
		recipe: { sha256: '', statements: [] },
		steps: [],
		expectations: [],
		diagnostics: [],
	};
	const done = await guarded(frame, options.model, async (loaded) => {
		const { document, tensors } = readPlan(planPath, loaded.file.path, await loaded.file.sha256());
		const named = { ...frame, recipe: document.recipe };
		const shapes: Shapes = new Map(document.inputs.map(({ name, dims }) => [name, dims]));
		return new Build(loaded, { ...options, shapes, recipe: '' }, named).plan(document, tensors);
	});
	return withoutSiblings(done, options);
}

class Build {
	private readonly steps: StepReport[] = [];
	private readonly diagnostics: Diagnostic[];
	private readonly loaded: Loaded;
	private readonly options: CompileOptions;
	private readonly frame: BuildDocument;
	private readonly losses: string | undefined;
	private readonly memory: StatisticsMemory | undefined;

	constructor(loaded: Loaded, options: CompileOptions, frame: BuildDocument, losses?: string) {
		this.losses = losses;
		this.loaded = loaded;
		this.options = options;
		this.frame = frame;
		this.diagnostics = [...frame.diagnostics];
		this.memory = usualMemory(options.cache);
	}

	async recipe(recipe: Recipe): Promise<BuildDocument> {
		const shapes: Shapes = new Map([
			...recipe.inputs.map(({ name, dims }) => [name, dims] as const),
			...(this.options.shapes ?? []),
		]);
		const unmet = unmetRequirements(recipe.require, this.loaded.model, shapes);
		if (unmet.length > 0) throw new Fault(...unmet);
		// Wanted at the end, and read meanwhile.
		void this.loaded.file.sha256();
		const data = this.dataFor(recipe);
		const inputs = await this.inputsFor(shapes, data);
		const labOn = ({ calibration, words }: InputSet, own: boolean): Lab =>
			labOf(calibration, words, own, this.threads(), shapes, this.memory);
		const result = await runRecipe(recipe, this.loaded.model, {
			...this.running(shapes, inputs),
			lab: labOn(inputs, data !== undefined),
			labFor: async (own) => labOn(await this.inputsFor(shapes, own), true),
			lexicon: lexiconOf(this.loaded.file.path),
			bytes: this.loaded.file.bytes,
			judge: (result) =>
				judgeResult(recipe, { original: this.loaded.model, ...result }, shapes, inputs, this.judging()),
		});
		if (this.options.planPath !== undefined) {
			const { file } = this.loaded;
			const model = { sha256: await file.sha256(), bytes: file.bytes };
			const sizes = [...shapes].map(([name, dims]) => ({ name, dims }));
			const head = {
				schema: 'prunec/plan@1' as const,
				recipe: this.frame.recipe,
				model,
				inputs: sizes,
				steps: result.steps,
			};
			writePlan(this.options.planPath, head, result.tensors, this.options.force);
		}
		return this.finish(result.model, result.kept, shapes, inputs, recipe);
	}

	async plan(document: PlanDocument, tensors: Parameters<typeof runPlan>[1]): Promise<BuildDocument> {
		const shapes = this.options.shapes ?? new Map();
		const inputs = await this.inputsFor(shapes, this.dataFor());
		const result = await runPlan(document.steps, tensors, this.loaded.model, this.running(shapes, inputs));
		return this.finish(result.model, result.kept, shapes, inputs, undefined);
	}

	/** `--data` replaces the path of `calibrate`, and keeps what it says of which rows. */
	private dataFor(recipe?: Recipe): InputOptions['data'] {
		const { span: _, ...said } = recipe?.calibrate ?? { span: undefined };
		const path = this.options.data ?? recipe?.calibrate?.path;
		return path === undefined ? undefined : { ...said, path };
	}

	private inputsFor(shapes: Shapes, data: InputOptions['data']): Promise<InputSet> {
		return readInputs(this.loaded.model, {
			shapes,
			seed: this.options.seed ?? 0,
			samples: this.options.samples ?? 8,
			modelPath: this.loaded.file.path,
			...(data !== undefined && { data }),
		});
	}

	private threads(): number {
		return this.options.threads ?? 2;
	}

	private running(shapes: Shapes, inputs: InputSet): RunOptions {
		let kept: Kept = new Map();
		return {
			shapes,
			seed: this.options.seed ?? 0,
			onStep: async (done, at) => {
				// A pause lets signals in: runs and weights keep the thread for long.
				await pause();
				this.options.signal?.throwIfAborted();
				this.options.onProgress?.(`step ${at}: ${done.plan.statement}`);
				this.options.onPatch?.(done.lowered.patch);
				const proof =
					this.options.verify === false || done.after === done.before
						? undefined
						: await proveDone(done, inputs.proofFor(kept), this.threads());
				kept = new Map([...kept, ...done.kept]);
				this.report(done, proof);
			},
		};
	}

	private report({ plan, costs, before: from, after: to }: Done, proof: Proof | undefined): void {
		const [before, after] = costs();
		const { decision: _, ...rest } = plan;
		this.steps.push({
			...rest,
			params: [before.params, after.params],
			macs: [before.macs, after.macs],
			...(proof && { proof }),
			...(from === to && { unchanged: true }),
		});
		if (proof?.weak && plan.selected > 0) this.diagnostics.push(proofWeak({ statement: plan.statement }));
		this.diagnostics.push(...plan.refused);
	}

	private async finish(
		model: Model,
		kept: Kept,
		shapes: Shapes,
		inputs: InputSet,
		recipe: Recipe | undefined,
	): Promise<BuildDocument> {
		const { force, out, verify } = this.options;
		if (this.options.against !== undefined) compareWith(model, this.options.against, this.loaded.file.path);
		if (this.losses !== undefined && this.losses !== lossesOf(this.steps)) throw new Fault(otherLosses({}));
		const marked = model === this.loaded.model ? model : withMetadata(model, this.frame.recipe.sha256);
		const [before, after] = this.cost(shapes);
		const staged = out === undefined ? undefined : this.stage(marked, out, force, shapes);
		try {
			const models = { original: this.loaded.model, pruned: marked, kept };
			const drift = this.isDriftWanted(marked, recipe)
				? await measureDrift(models, inputs.heldOut, this.threads())
				: undefined;
			const accuracy = verify === false ? undefined : await sharesOf(recipe, models, shapes, this.judging());
			const latency = this.isTimed(recipe)
				? await timeBoth([this.loaded.model, marked], shapes, this.threads())
				: undefined;
			const measured = {
				before: { ...before, bytes: this.loaded.file.bytes },
				after: { ...after, ...(staged && { bytes: staged.bytes }) },
				...(drift && { drift }),
				...(accuracy && { accuracy }),
				...(latency && { latency }),
			};
			const expectations = judgeExpectations(recipe?.expectations ?? [], measured);
			await pause();
			const slow = slowerThanBefore(latency, recipe, isSlower);
			const ok = this.settle(staged, expectations, slow);
			const found = { ...(drift && { drift }), ...(latency && { latency }) };
			return await this.document(staged, before, after, inputs, { expectations, ...found, ok });
		} catch (problem) {
			staged?.discard();
			throw problem;
		}
	}

	/** An unchanged model has no drift; where a recipe promises what it is, it is measured all the same. */
	private isDriftWanted(result: Model, recipe: Recipe | undefined): boolean {
		const isChanged = result !== this.loaded.model;
		return this.options.verify !== false && (isChanged || (recipe?.expectations ?? []).length > 0);
	}

	/** Of the model before the first step and after the last. */
	private cost(shapes: Shapes): readonly [before: Cost, after: Cost] {
		const [first, last] = [this.steps.at(0), this.steps.at(-1)];
		if (first === undefined || last === undefined) {
			const model = opened(this.loaded.model);
			const cost = costOf(model, inferFacts(model, shapes));
			return [cost, cost];
		}
		return [
			{ params: first.params[0], macs: first.macs[0] },
			{ params: last.params[1], macs: last.macs[1] },
		];
	}

	private stage(model: Model, out: string, force: boolean | undefined, shapes: Shapes): Staged {
		const models = { original: this.loaded.model, result: model, shapes };
		const { target, notes } = sidesOf(this.loaded.file, out, this.steps, models);
		this.diagnostics.push(...notes);
		return stageModel(model, target, { hash: true, ...(force && { force }), original: this.loaded });
	}

	private isTimed(recipe: Recipe | undefined): boolean {
		const { bench } = this.options;
		return bench === true || recipe?.expectations.some(({ subject }) => subject === 'latency') === true;
	}

	private judging(): Judging {
		return { ...this.options, modelPath: this.loaded.file.path, threads: this.threads() };
	}

	private remembered(): Pick<BuildDocument, 'statistics'> {
		const counts = this.memory?.counts;
		return counts !== undefined && counts.fromCache > 0 ? { statistics: { ...counts } } : {};
	}

	/** Gives the result its name when all promises hold, and it is not slower than before. */
	private settle(
		staged: Staged | undefined,
		expectations: readonly Judged[],
		slow: readonly Diagnostic[],
	): boolean {
		const failed = expectations.filter(({ ok }) => !ok);
		const words = (value: number | undefined): string =>
			value === undefined ? 'not measured' : value.toPrecision(4);
		const wrong = [...failed.map(({ text, value }) => notMet({ text, value: words(value) })), ...slow];
		this.diagnostics.push(...wrong);
		this.options.signal?.throwIfAborted();
		if (wrong.length > 0 && this.options.keepGoing !== true) staged?.discard();
		else staged?.commit();
		return wrong.length === 0;
	}

	private async document(
		staged: Staged | undefined,
		before: { params: number; macs: number },
		after: { params: number; macs: number },
		inputs: InputSet,
		rest: Pick<BuildDocument, 'expectations' | 'drift' | 'latency' | 'ok'>,
	): Promise<BuildDocument> {
		const { file, model } = this.loaded;
		const sha256 = await file.sha256();
		const opset = model.opsets.get('') ?? 0;
		const proofs = this.steps.flatMap(({ proof }) => proof ?? []);
		// Where a goal or a condition took nothing, there is nothing for a control to show.
		const telling = this.steps.flatMap(({ proof, selected }) => (proof && selected > 0 ? [proof] : []));
		const weak = (telling.length > 0 ? telling : proofs).some((proof) => proof.weak);
		const worst = proofs.toSorted((a, b) => b.maxRel - a.maxRel)[0];
		return {
			...this.frame,
			...rest,
			model: {
				path: file.path,
				sha256,
				...before,
				bytes: file.bytes,
				opset,
			},
			output: {
				...after,
				...(staged && { path: staged.path, bytes: staged.bytes }),
				...(staged && { sha256: staged.sha256 ?? sha256 }),
			},
			inputs: inputs.words,
			...this.remembered(),
			steps: this.steps,
			...(worst && { proof: { ...worst, weak } }),
			diagnostics: this.diagnostics,
		};
	}
}
