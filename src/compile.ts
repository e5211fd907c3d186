/** The pipeline: recipe and model in, smaller model and its proof out. Read this first. */
import { setImmediate as pause } from 'node:timers/promises';
import { checkedRecipe } from './build/checked-recipe.ts';
import { finish } from './build/finish.ts';
import { guarded } from './build/guarded.ts';
import { judgeResult, type Judging } from './build/judge.ts';
import { readPlan, writePlan, type PlanDocument } from './build/plan-file.ts';
import { proveDone } from './build/prove-done.ts';
import { Fault, type Diagnostic } from './diagnostic.ts';
import { type Loaded } from './backends/onnx/load.ts';
import { labOf } from './backends/ort/lab.ts';
import { usualMemory, type StatisticsMemory } from './backends/ort/remember.ts';
import { lexiconOf } from './data/lexicon.ts';
import { readInputs, type InputOptions, type InputSet } from './data/calibration.ts';
import { type BuildDocument, type CompileOptions, type StepReport } from './document.ts';
import { type Shapes } from './ir/graph/bindings.ts';
import { type Cost } from './ir/cost.ts';
import { type Lab } from './ir/lab.ts';
import { type Kept, type Proof } from './ir/proof.ts';
import { type Recipe } from './ir/recipe/recipe.ts';
import { unmetRequirements } from './ir/requirements.ts';
import { proofWeak } from './messages/run.ts';
import { withoutSiblings, withSiblings } from './model-folder/siblings.ts';
import { type Done } from './passes/carry-out.ts';
import { runPlan, runRecipe, type RunOptions, type RunResult } from './passes/run.ts';

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
		await this.writePlan(result, shapes);
		return this.finish(result, shapes, inputs, recipe);
	}

	async plan(document: PlanDocument, tensors: Parameters<typeof runPlan>[1]): Promise<BuildDocument> {
		const shapes = this.options.shapes ?? new Map();
		const inputs = await this.inputsFor(shapes, this.dataFor());
		const result = await runPlan(document.steps, tensors, this.loaded.model, this.running(shapes, inputs));
		return this.finish(result, shapes, inputs);
	}

	private async writePlan({ steps, tensors }: RunResult, shapes: Shapes): Promise<void> {
		const { planPath, force } = this.options;
		if (planPath === undefined) return;
		const { file } = this.loaded;
		const model = { sha256: await file.sha256(), bytes: file.bytes };
		const inputs = [...shapes].map(([name, dims]) => ({ name, dims }));
		const { recipe } = this.frame;
		writePlan(planPath, { schema: 'prunec/plan@1', recipe, model, inputs, steps }, tensors, force);
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
			...uncountedIn(before, after),
			...(proof && { proof }),
			...(from === to && { unchanged: true }),
		});
		if (proof?.weak && plan.selected > 0) this.diagnostics.push(proofWeak({ statement: plan.statement }));
		this.diagnostics.push(...plan.refused);
	}

	private async finish(
		{ model, kept }: Pick<RunResult, 'model' | 'kept'>,
		shapes: Shapes,
		inputs: InputSet,
		recipe?: Recipe,
	): Promise<BuildDocument> {
		const { loaded, options, frame, losses, steps, diagnostics } = this;
		const judging = this.judging();
		const from = { loaded, options, frame, judging, losses, recipe, shapes, inputs };
		const document = await finish({ ...from, steps, diagnostics, model, kept });
		return { ...document, ...this.remembered() };
	}

	private judging(): Judging {
		return { ...this.options, modelPath: this.loaded.file.path, threads: this.threads() };
	}

	private remembered(): Pick<BuildDocument, 'statistics'> {
		const counts = this.memory?.counts;
		return counts !== undefined && counts.fromCache > 0 ? { statistics: { ...counts } } : {};
	}
}

function uncountedIn(...costs: readonly [before: Cost, after: Cost]): Pick<StepReport, 'uncounted'> {
	const [before, after] = costs.map(({ uncounted = 0 }) => uncounted);
	return before || after ? { uncounted: [before ?? 0, after ?? 0] } : {};
}
