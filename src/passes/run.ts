/** Carries a recipe out step by step: plan, lower, apply, verify. What a step needs measured comes through the lab. */
import { bug, Fault, type Diagnostic } from '../diagnostic.ts';
import { findAnatomy } from '../ir/anatomy/anatomy.ts';
import { buildNet, type Net } from '../ir/axes/net.ts';
import { costOf, weightBytes, type Cost } from '../ir/cost.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { closed } from '../ir/graph/close.ts';
import { inferFacts, type Facts } from '../ir/graph/facts.ts';
import { type Model, type Tensor } from '../ir/graph/graph.ts';
import { opened } from '../ir/graph/open.ts';
import { applyPatch, type Patch } from '../ir/graph/patch.ts';
import { type Part } from '../ir/graph/part.ts';
import { verifyModel } from '../ir/graph/verify.ts';
import { type Lab } from '../ir/lab.ts';
import { type Lexicon } from '../ir/lexicon.ts';
import { type Kept } from '../ir/proof.ts';
import { type Recipe, type Step } from '../ir/recipe/recipe.ts';
import { broken } from '../messages/plan.ts';
import { certificateFailed } from '../messages/run.ts';
import { again, type Again } from './again.ts';
import { cutSavings } from './cut-costs.ts';
import { latencySavings } from './latency-table.ts';
import { reachGoals, type Costs, type GoalTask, type Qualities } from './goals.ts';
import { rangesOverRemoved } from './scope.ts';
import { techniques } from './table.ts';
import {
	firstNumbering,
	type Allotment,
	type Lowered,
	type Numbering,
	type Offered,
	type Planned,
	type PlanRequest,
	type StepPlan,
	type Technique,
} from './technique.ts';

/** A step that was carried out: what proves it, and what it costs. */
export type Done = {
	readonly plan: StepPlan;
	readonly before: Model;
	readonly after: Model;
	readonly lowered: Lowered;
	readonly kept: Kept;
	readonly cost: readonly [before: Cost, after: Cost];
	/** The same with other numbers, for a proof that the model's own make weak: as often as there is something more to try. */
	readonly again: (turn: number) => Again | undefined;
};

export type RunOptions = {
	readonly shapes: Shapes;
	readonly seed: number;
	readonly lab?: Lab;
	/** Measures on the data that a statement names itself, instead. Throws `Fault` for data that does not fit the model. */
	readonly labFor?: (data: NonNullable<Step['fit']>) => Promise<Lab>;
	readonly lexicon?: Lexicon;
	/** Of the model's file and its data; absent where only the graph is known. */
	readonly bytes?: number;
	/** How good a result is, for `while`: against the original, on held-out and labelled data. */
	readonly judge?: (result: { readonly pruned: Model; readonly kept: Kept }) => Promise<Qualities>;
	/** Called after every step, with the step's number from 1. */
	readonly onStep?: (done: Done, at: number) => Promise<void>;
};

export type RunResult = {
	readonly model: Model;
	readonly steps: readonly StepPlan[];
	readonly tensors: ReadonlyMap<string, Tensor>;
	readonly kept: Kept;
};

/** A model between two steps, and what is found out about it once. */
type Known = {
	readonly model: Model;
	/** Sizes of its inputs where they are given. */
	readonly shapes: Shapes;
	readonly facts: Facts;
	readonly cost: Cost;
};
type State = Known & { readonly numbering?: Numbering; readonly kept: Kept };
type Made = { readonly planned: Planned; readonly done: Done };

/** Plans and carries out every step of a recipe. Throws `Fault`. */
export async function runRecipe(recipe: Recipe, model: Model, options: RunOptions): Promise<RunResult> {
	const tensors = new Map<string, Tensor>();
	const steps: StepPlan[] = [];
	const first = known(model, options.shapes);
	const run = new Run(recipe, first, options);
	let state: State = { ...first, kept: new Map() };
	for (const statement of statementsOf(recipe.steps)) {
		const { made, after } = await run.statement(statement, state);
		for (const { planned, done } of made) {
			for (const [name, tensor] of planned.tensors) tensors.set(`${steps.length}.${name}`, tensor);
			steps.push(planned.plan);
			await options.onStep?.(done, steps.length);
		}
		state = after;
	}
	return { model: closed(state.model), steps, tensors, kept: state.kept };
}

/** Steps that are carried out together: those of one statement with a goal, any other alone. */
function statementsOf(steps: readonly Step[]): Step[][] {
	const statements: Step[][] = [];
	for (const step of steps) {
		const last = statements.at(-1);
		const [first] = last ?? [];
		const isSame = first?.span.start === step.span.start && first.span.file === step.span.file;
		if (last !== undefined && isSame && hasGoal(step)) last.push(step);
		else statements.push([step]);
	}
	return statements;
}

const hasGoal = (step: Step): boolean => step.until.length + step.while.length > 0;

function withNotes(planned: Planned, notes: readonly Diagnostic[]): Planned {
	const { plan } = planned;
	return notes.length === 0
		? planned
		: { ...planned, plan: { ...plan, refused: [...notes, ...plan.refused] } };
}

class Run {
	private readonly recipe: Recipe;
	private readonly original: Known;
	private readonly options: RunOptions;
	private originalMs: number | undefined;

	constructor(recipe: Recipe, original: Known, options: RunOptions) {
		this.recipe = recipe;
		this.original = original;
		this.options = options;
	}

	async statement(
		steps: readonly Step[],
		state: State,
	): Promise<{ readonly made: readonly Made[]; readonly after: State }> {
		if (!steps.some(hasGoal)) return this.carryOut(steps, state);
		const { result, reached } = await reachGoals(await this.goalTask(steps, state));
		const made = result.made.map(({ planned, done }, at): Made => {
			if (at < result.made.length - 1) return { planned, done };
			const plan = { ...planned.plan, reached };
			return { planned: { ...planned, plan }, done: { ...done, plan } };
		});
		return { made, after: result.after };
	}

	private async carryOut(
		steps: readonly Step[],
		before: State,
		allotted?: Allotment,
	): Promise<{ readonly made: readonly Made[]; readonly after: State }> {
		const made: Made[] = [];
		let after = before;
		const pending = [...steps];
		for (let step = pending.shift(); step !== undefined; step = pending.shift()) {
			const request = this.request(step, after, allotted);
			const technique = techniqueNamed(step.technique);
			const parts = technique.parts?.(request) ?? [step];
			if (parts.length !== 1) {
				pending.unshift(...parts);
				continue;
			}
			const found = await technique.plan(await this.measured(request));
			const planned = withNotes(found, rangesOverRemoved(request));
			const { done, next } = carryOut(after, request.net, planned.plan, planned.tensors);
			made.push({ planned, done });
			after = { ...next, numbering: planned.numbering, kept: compose(after.kept, done.kept) };
		}
		return { made, after };
	}

	private async goalTask(
		steps: readonly Step[],
		state: State,
	): Promise<GoalTask<Awaited<ReturnType<Run['carryOut']>>>> {
		const offers: Offered[] = [];
		for (const step of steps) {
			const technique = techniqueNamed(step.technique);
			offers.push(...((await technique.offer?.(this.request(step, state))) ?? []));
		}
		const net = buildNet(state.model, state.facts);
		const until = steps[0]?.until ?? [];
		const { lab, shapes } = this.options;
		const isTimed = lab !== undefined && until.some(({ subject }) => subject === 'latency');
		const clock = isTimed && {
			timeParts: (parts: readonly Part[]) => lab.timeParts(parts),
			whole: await this.timeOf(lab, state.model),
		};
		const latency = clock ? await latencySavings(net, offers, shapes, clock) : undefined;
		const families = offers.flatMap((one) => one.families);
		const costsOf = async (one: Known): Promise<Costs> => ({
			...this.costsOf(one),
			...(isTimed && { latency: await this.timeOf(lab, one.model) }),
		});
		return {
			...{ until, while: steps[0]?.while ?? [], offers },
			savings: { ...cutSavings(net, families), ...(latency && { latency }) },
			original: await costsOf(this.original),
			before: await costsOf(state),
			attempt: async (allotted) => {
				const result = await this.carryOut(steps, state, allotted);
				return { result, costs: await costsOf(result.after) };
			},
			judge: ({ after: { model, kept } }) =>
				this.options.judge?.({ pruned: model, kept }) ?? Promise.resolve({}),
		};
	}

	/** Milliseconds of a model, by its ratio to the original's of the first measurement: that one is noisier than the ratio. */
	private async timeOf(lab: Lab, model: Model): Promise<number> {
		const { ms, ratio } = await lab.compareTimes(this.original.model, model);
		this.originalMs ??= ms;
		return model === this.original.model ? this.originalMs : this.originalMs * ratio;
	}

	private costsOf({ model, cost: { params, macs } }: Known): Costs {
		const lost = weightBytes(this.original.model.graph) - weightBytes(model.graph);
		const size = this.options.bytes === undefined ? {} : { size: this.options.bytes - lost };
		return { params, macs, ...size };
	}

	private async measured(request: PlanRequest): Promise<PlanRequest> {
		const { fit } = request.step;
		if (fit === undefined || this.options.labFor === undefined) return request;
		return { ...request, lab: await this.options.labFor(fit) };
	}

	private request(step: Step, { model, facts, numbering }: State, allotted?: Allotment): PlanRequest {
		const { lab, lexicon, seed } = this.options;
		const { protect } = this.recipe;
		const net = buildNet(model, facts);
		const anatomy = findAnatomy(net, step.mayChange);
		return {
			...{ step, model, net, anatomy, protect, seed },
			numbering: numbering ?? firstNumbering(anatomy.layers.length),
			...(lab && { lab }),
			...(lexicon && { lexicon }),
			...(allotted && { allotted }),
		};
	}
}

/** Carries out decisions that were taken before. */
export async function runPlan(
	steps: readonly StepPlan[],
	tensors: ReadonlyMap<string, Tensor>,
	model: Model,
	options: RunOptions,
): Promise<{ readonly model: Model; readonly kept: Kept }> {
	let current = known(model, options.shapes);
	let kept: Kept = new Map();
	for (const [at, plan] of steps.entries()) {
		const own = new Map(
			[...tensors]
				.filter(([name]) => name.startsWith(`${at}.`))
				.map(([name, tensor]) => [name.slice(`${at}.`.length), tensor]),
		);
		const { done, next } = carryOut(current, buildNet(current.model, current.facts), plan, own);
		await options.onStep?.(done, at + 1);
		kept = compose(kept, done.kept);
		current = next;
	}
	return { model: closed(current.model), kept };
}

function known(given: Model, shapes: Shapes): Known {
	const model = opened(given);
	const facts = inferFacts(model, shapes);
	return { model, shapes, facts, cost: costOf(model, facts) };
}

function techniqueNamed(name: string): Technique {
	return techniques.find(({ words }) => words.name === name) ?? bug('a step of no technique', { step: name });
}

function carryOut(
	{ shapes, cost }: Known,
	net: Net,
	plan: StepPlan,
	tensors: ReadonlyMap<string, Tensor>,
): { readonly done: Done; readonly next: Known } {
	const task = { net, decision: plan.decision, tensors, label: plan.statement };
	const technique = techniqueNamed(plan.technique);
	checkCertificates(plan);
	const lowered = technique.lower(task);
	const after = checked(net.model, lowered.patch);
	const kept = lowered.kept ?? new Map();
	const next = known(after, shrinkShapes(shapes, kept));
	const done = {
		...{ plan, before: net.model, after, lowered, kept, cost: [cost, next.cost] as const },
		again: (turn: number) => again(technique, task, plan, shapes, turn),
	};
	return { done, next };
}

function checkCertificates({ certificates = [] }: StepPlan): void {
	const wrong = certificates.filter(
		({ expected, measured, tolerance }) => !(Math.abs(measured - expected) <= tolerance),
	);
	if (wrong.length > 0) throw new Fault(...wrong.map((certificate) => certificateFailed(certificate)));
}

function shrinkShapes(shapes: Shapes, kept: Kept): Shapes {
	return new Map(
		[...shapes].map(([name, dims]) => [
			name,
			dims.map((dim, axis) => kept.get(name)?.get(axis)?.length ?? dim),
		]),
	);
}

function checked(model: Model, patch: Patch): Model {
	const after = applyPatch(model, patch);
	const problems: Diagnostic[] = patch.edits.length === 0 ? [] : verifyModel(closed(after));
	if (problems.length > 0) throw new Fault(...problems.map(({ message }) => broken({ why: message })));
	return after;
}

/** Positions kept by one step and then another, in terms of the first one's original. */
function compose(first: Kept, second: Kept): Kept {
	const result = new Map([...first].map(([name, axes]) => [name, new Map(axes)]));
	for (const [name, axes] of second) {
		const own = result.get(name) ?? new Map<number, Int32Array>();
		result.set(name, own);
		for (const [axis, positions] of axes) {
			const before = own.get(axis);
			own.set(axis, before === undefined ? positions : positions.map((at) => before.at(at) ?? at));
		}
	}
	return result;
}
