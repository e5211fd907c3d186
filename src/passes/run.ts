/** Carries a recipe out step by step: plan, lower, apply, verify. What a step needs measured comes through the lab. */
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { findAnatomy } from '../ir/anatomy/anatomy.ts';
import { weightBytes } from '../ir/cost.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { closed } from '../ir/graph/close.ts';
import { type Model, type Tensor } from '../ir/graph/graph.ts';
import { opened } from '../ir/graph/open.ts';
import { type Part } from '../ir/graph/part.ts';
import { type Lab } from '../ir/lab.ts';
import { type Lexicon } from '../ir/lexicon.ts';
import { type Kept } from '../ir/proof.ts';
import { type Goal, type Recipe, type Step } from '../ir/recipe/recipe.ts';
import {
	carryOut,
	compose,
	costBetween,
	netOf,
	techniqueNamed,
	type Between,
	type Done,
} from './carry-out.ts';
import { cutSavings } from './goals/cut-costs.ts';
import { latencySavings } from './goals/latency-table.ts';
import { alignedByTime } from './goals/measured-align.ts';
import { reachAround, reachByDial } from './goals/dial-goals.ts';
import { type GoalTask, type Solved } from './goals/goals.ts';
import { reachBest } from './goals/ways.ts';
import { type Costs, type Qualities } from './goals/goal-words.ts';
import { rangesOverRemoved } from './scope.ts';
import {
	firstNumbering,
	type Allotment,
	type Numbering,
	type Offered,
	type Planned,
	type PlanRequest,
	type StepPlan,
	withAmount,
} from './technique.ts';

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

type State = Between & { readonly numbering?: Numbering; readonly kept: Kept };
type Made = { readonly planned: Planned; readonly done: Done };
/** Steps that were carried out, and the model behind them. */
type Carried = { readonly made: readonly Made[]; readonly after: State };

/** Plans and carries out every step of a recipe. Throws `Fault`. */
export async function runRecipe(recipe: Recipe, model: Model, options: RunOptions): Promise<RunResult> {
	const tensors = new Map<string, Tensor>();
	const steps: StepPlan[] = [];
	const first: Between = { model: opened(model), shapes: options.shapes };
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
	private readonly original: Between;
	private readonly options: RunOptions;
	private originalMs: number | undefined;

	constructor(recipe: Recipe, original: Between, options: RunOptions) {
		this.recipe = recipe;
		this.original = original;
		this.options = options;
	}

	async statement(steps: readonly Step[], state: State): Promise<Carried> {
		if (!steps.some(hasGoal)) return this.carryOut(steps, state);
		const opening = await this.openWay(steps, state);
		const { result, reached } = await this.orWhatStays(steps, opening.after);
		const made = result.made.map(({ planned, done }, at): Made => {
			if (at < result.made.length - 1) return { planned, done };
			const plan = { ...planned.plan, reached };
			return { planned: { ...planned, plan }, done: { ...done, plan } };
		});
		return { made: [...opening.made, ...made], after: result.after };
	}

	/** What goals choose from is found behind the statements that open the way. */
	private async openWay(steps: readonly Step[], state: State): Promise<Carried> {
		let carried: Carried = { made: [], after: state };
		for (const step of steps) {
			const before = techniqueNamed(step.technique).before?.(this.request(step, carried.after)) ?? [];
			const { made, after } = await this.carryOut(before, carried.after);
			carried = { made: [...carried.made, ...made], after };
		}
		return carried;
	}

	/** Units are chosen one by one; what can only be turned up is, around that. */
	private async solve(steps: readonly Step[], state: State): Promise<Solved<Carried>> {
		const isCalibrated = this.options.lab?.calibrated === true;
		const dials = steps.flatMap((step) => {
			const settings = techniqueNamed(step.technique).dial?.(this.request(step, state));
			return settings === undefined ? [] : [{ step, settings }];
		});
		if (dials.length === 0) return reachBest(await this.goalTask(steps, state), isCalibrated);
		const settings = Math.max(...dials.map((one) => one.settings.length));
		const turned = (setting: number): Promise<Carried> =>
			this.carryOut(
				dials.flatMap(
					(one) => one.settings[Math.ceil(((setting + 1) / settings) * one.settings.length) - 1] ?? [],
				),
				state,
			);
		const others = steps.filter((step) => !dials.some((one) => one.step === step));
		const { until = [], while: floors = [] } = steps[0] ?? {};
		const judge = ({ after: { model, kept } }: Carried): Promise<Qualities> =>
			this.options.judge?.({ pruned: model, kept }) ?? Promise.resolve({});
		const task = {
			...{ until, while: floors, settings, judge },
			original: await this.costsFor(this.original, until),
		};
		if (others.length === 0)
			return reachByDial({
				...task,
				attempt: async (setting) => {
					const result = await turned(setting);
					return { result, costs: await this.costsFor(result.after, until) };
				},
			});
		return reachAround({
			...task,
			solve: async (setting) => {
				const before: Carried = setting < 0 ? { made: [], after: state } : await turned(setting);
				const solved = await reachBest(await this.goalTask(others, before.after), isCalibrated);
				return { ...solved, result: { ...solved.result, made: [...before.made, ...solved.result.made] } };
			},
		});
	}

	/** Where goals are missed and a statement finds nothing that could be turned up, the fault says what stays, too. */
	private async orWhatStays(steps: readonly Step[], state: State): Promise<Solved<Carried>> {
		return this.solve(steps, state).catch(async (problem: unknown) => {
			if (!(problem instanceof Fault)) throw problem;
			const empty = steps.filter(
				(step) => techniqueNamed(step.technique).dial?.(this.request(step, state)).length === 0,
			);
			const one = empty.map((step) => withAmount(step, { kind: 'remove-count', count: 1 }));
			const { made } = await this.carryOut(one, state);
			throw new Fault(...problem.diagnostics, ...made.flatMap(({ planned }) => planned.plan.refused));
		});
	}

	private async carryOut(
		steps: readonly Step[],
		before: State,
		allotted?: Allotment,
		draft?: boolean,
	): Promise<Carried> {
		const made: Made[] = [];
		let after = before;
		const pending = [...steps];
		for (let step = pending.shift(); step !== undefined; step = pending.shift()) {
			const request = { ...this.request(step, after, allotted), ...(draft && { draft }) };
			const technique = techniqueNamed(step.technique);
			const parts = [...(technique.before?.(request) ?? []), ...(technique.parts?.(request) ?? [step])];
			if (parts.length !== 1) {
				pending.unshift(...parts);
				continue;
			}
			const found = await technique.plan(await this.measured(request));
			const planned = withNotes(found, rangesOverRemoved(request));
			const { done, next } = carryOut(after, planned.plan, planned.tensors);
			made.push({ planned, done });
			after = { ...next, numbering: planned.numbering, kept: compose(after.kept, done.kept) };
		}
		return { made, after };
	}

	private async offersOf(steps: readonly Step[], state: State): Promise<Offered[]> {
		const offers: Offered[] = [];
		for (const step of steps) {
			const technique = techniqueNamed(step.technique);
			offers.push(...((await technique.offer?.(this.request(step, state))) ?? []));
		}
		return offers;
	}

	private async goalTask(steps: readonly Step[], state: State): Promise<GoalTask<Carried>> {
		const offered = await this.offersOf(steps, state);
		const net = netOf(state);
		const until = steps[0]?.until ?? [];
		const { lab, shapes } = this.options;
		const isTimed = lab !== undefined && until.some(({ subject }) => subject === 'latency');
		const clock = isTimed && {
			timeParts: (parts: readonly Part[]) => lab.timeParts(parts),
			timeOf: (model: Model) => this.timeOf(lab, model),
		};
		const offers = clock ? await alignedByTime({ ...clock, net, offers: offered, shapes }) : offered;
		const latency = clock ? await latencySavings(net, offers, shapes, clock) : undefined;
		const families = offers.flatMap((one) => one.families);
		const costsOf = (one: Between): Promise<Costs> => this.costsFor(one, until);
		return {
			...{ until, while: steps[0]?.while ?? [], offers },
			savings: { ...cutSavings(net, families), ...(latency && { latency }) },
			original: await costsOf(this.original),
			before: await costsOf(state),
			attempt: async (allotted, draft) => {
				const result = await this.carryOut(steps, state, allotted, draft);
				return { result, costs: await costsOf(result.after) };
			},
			judge: ({ after: { model, kept } }) =>
				this.options.judge?.({ pruned: model, kept }) ?? Promise.resolve({}),
		};
	}

	/** Milliseconds of a model, by its ratio to the original's of the first measurement: that one is noisier than the ratio. */
	private async timeOf(lab: Lab, model: Model): Promise<number> {
		const isOriginal = model === this.original.model;
		if (isOriginal && this.originalMs !== undefined) return this.originalMs;
		const { ms, ratio } = await lab.compareTimes(this.original.model, model);
		this.originalMs ??= ms;
		return isOriginal ? this.originalMs : this.originalMs * ratio;
	}

	/** Time too, where a goal asks for it. */
	private async costsFor(one: Between, until: readonly Goal[]): Promise<Costs> {
		const { lab } = this.options;
		const isTimed = lab !== undefined && until.some(({ subject }) => subject === 'latency');
		return { ...this.costsOf(one), ...(isTimed && { latency: await this.timeOf(lab, one.model) }) };
	}

	private costsOf(one: Between): Costs {
		const { params, macs } = costBetween(one);
		const lost = weightBytes(this.original.model.graph) - weightBytes(one.model.graph);
		const size = this.options.bytes === undefined ? {} : { size: this.options.bytes - lost };
		return { params, macs, ...size };
	}

	private async measured(request: PlanRequest): Promise<PlanRequest> {
		const { fit } = request.step;
		if (fit === undefined || this.options.labFor === undefined) return request;
		return { ...request, lab: await this.options.labFor(fit) };
	}

	private request(step: Step, state: State, allotted?: Allotment): PlanRequest {
		const { lab, lexicon, seed } = this.options;
		const { protect } = this.recipe;
		const net = netOf(state);
		const anatomy = findAnatomy(net, step.mayChange);
		return {
			...{ step, model: state.model, net, shapes: state.shapes, anatomy, protect, seed },
			numbering: state.numbering ?? firstNumbering(anatomy.layers.length),
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
	let current: Between = { model: opened(model), shapes: options.shapes };
	let kept: Kept = new Map();
	for (const [at, plan] of steps.entries()) {
		const own = new Map(
			[...tensors]
				.filter(([name]) => name.startsWith(`${at}.`))
				.map(([name, tensor]) => [name.slice(`${at}.`.length), tensor]),
		);
		const { done, next } = carryOut(current, plan, own);
		await options.onStep?.(done, at + 1);
		kept = compose(kept, done.kept);
		current = next;
	}
	return { model: closed(current.model), kept };
}
