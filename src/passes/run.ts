/** Carries a recipe out step by step: plan, lower, apply, verify. What a step needs measured comes through the lab. */
import { bug, Fault, type Diagnostic } from '../diagnostic.ts';
import { findAnatomy } from '../ir/anatomy/anatomy.ts';
import { buildNet, type Net } from '../ir/axes/net.ts';
import { costOf, type Cost } from '../ir/cost.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { type Model, type Tensor } from '../ir/graph/graph.ts';
import { seedWeights } from '../ir/graph/seed.ts';
import { applyPatch, type Patch } from '../ir/graph/patch.ts';
import { verifyModel } from '../ir/graph/verify.ts';
import { type Lab } from '../ir/lab.ts';
import { type Lexicon } from '../ir/lexicon.ts';
import { type Kept } from '../ir/proof.ts';
import { type Recipe } from '../ir/recipe/recipe.ts';
import { broken } from '../messages/plan.ts';
import { certificateFailed } from '../messages/run.ts';
import { techniques } from './table.ts';
import { type Lowered, type Numbering, type StepPlan, type Technique } from './technique.ts';

/** A step that was carried out: what proves it, and what it costs. */
export type Done = {
	readonly plan: StepPlan;
	readonly before: Model;
	readonly after: Model;
	readonly lowered: Lowered;
	readonly kept: Kept;
	readonly cost: readonly [before: Cost, after: Cost];
	/** The same decision on the same graph with seeded weights, for a proof that the model's own weights make weak. */
	readonly seeded: () => { readonly before: Model; readonly after: Model; readonly lowered: Lowered };
};

export type RunOptions = {
	readonly shapes: Shapes;
	readonly seed: number;
	readonly lab?: Lab;
	readonly lexicon?: Lexicon;
	/** Called after every step, with the step's number from 1. */
	readonly onStep?: (done: Done, at: number) => Promise<void>;
};

export type RunResult = {
	readonly model: Model;
	readonly steps: readonly StepPlan[];
	readonly tensors: ReadonlyMap<string, Tensor>;
	readonly kept: Kept;
};

/** Plans and carries out every step of a recipe. Throws `Fault`. */
export async function runRecipe(recipe: Recipe, model: Model, options: RunOptions): Promise<RunResult> {
	const tensors = new Map<string, Tensor>();
	const steps: StepPlan[] = [];
	let kept: Kept = new Map();
	let numbering: Numbering | undefined;
	let current = model;
	for (const [at, step] of recipe.steps.entries()) {
		const net = netOf(current, options.shapes);
		const anatomy = findAnatomy(net, recipe.mayChange);
		numbering ??= firstNumbering(anatomy.layers.length);
		const technique = techniqueNamed(step.technique);
		const { lab, lexicon, seed } = options;
		const planned = await technique.plan({
			step,
			model: current,
			net,
			anatomy,
			numbering,
			protect: recipe.protect,
			mayChange: recipe.mayChange,
			seed,
			...(lab && { lab }),
			...(lexicon && { lexicon }),
		});
		numbering = planned.numbering;
		for (const [name, tensor] of planned.tensors) tensors.set(`${at}.${name}`, tensor);
		const done = carryOut(net, planned.plan, planned.tensors, options.shapes);
		await options.onStep?.(done, at + 1);
		kept = compose(kept, done.kept);
		steps.push(planned.plan);
		current = done.after;
	}
	return { model: current, steps, tensors, kept };
}

/** Carries out decisions that were taken before. */
export async function runPlan(
	steps: readonly StepPlan[],
	tensors: ReadonlyMap<string, Tensor>,
	model: Model,
	options: RunOptions,
): Promise<{ readonly model: Model; readonly kept: Kept }> {
	let current = model;
	let kept: Kept = new Map();
	for (const [at, plan] of steps.entries()) {
		const own = new Map(
			[...tensors]
				.filter(([name]) => name.startsWith(`${at}.`))
				.map(([name, tensor]) => [name.slice(`${at}.`.length), tensor]),
		);
		const done = carryOut(netOf(current, options.shapes), plan, own, options.shapes);
		await options.onStep?.(done, at + 1);
		kept = compose(kept, done.kept);
		current = done.after;
	}
	return { model: current, kept };
}

function netOf(model: Model, shapes: Shapes): Net {
	return buildNet(model, inferFacts(model, shapes));
}

function firstNumbering(layers: number): Numbering {
	return {
		layers: Array.from({ length: layers }, (_, at) => at),
		layerCount: layers,
		units: new Map(),
		unitCounts: new Map(),
	};
}

function techniqueNamed(name: string): Technique {
	return techniques.find(({ words }) => words.name === name) ?? bug('a step of no technique', { step: name });
}

function carryOut(net: Net, plan: StepPlan, tensors: ReadonlyMap<string, Tensor>, shapes: Shapes): Done {
	const task = { net, decision: plan.decision, tensors, label: plan.statement };
	const technique = techniqueNamed(plan.technique);
	checkCertificates(plan);
	const lowered = technique.lower(task);
	const after = checked(net.model, lowered.patch);
	const kept = lowered.kept ?? new Map();
	const shrunk = shrinkShapes(shapes, kept);
	const cost = [costOf(net.model, net.facts), costOf(after, inferFacts(after, shrunk))] as const;
	const seeded = (): ReturnType<Done['seeded']> => {
		const before = seedWeights(net);
		const again = technique.lower({ ...task, net: netOf(before, shapes) });
		return { before, after: checked(before, again.patch), lowered: again };
	};
	return { plan, before: net.model, after, lowered, kept, cost, seeded };
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
	const problems: Diagnostic[] = patch.edits.length === 0 ? [] : verifyModel(after);
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
			own.set(axis, before === undefined ? positions : positions.map((at) => before[at] ?? at));
		}
	}
	return result;
}
