/** One decision carried out on a model: lowered, checked, and what is known of the model behind it. */
import { bug, Fault, type Diagnostic } from '../diagnostic.ts';
import { buildNet, type Net } from '../ir/axes/net.ts';
import { costOf, type Cost } from '../ir/cost.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { closed } from '../ir/graph/close.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { type Model, type Tensor } from '../ir/graph/graph.ts';
import { opened } from '../ir/graph/open.ts';
import { applyPatch, type Patch } from '../ir/graph/patch.ts';
import { verifyModel } from '../ir/graph/verify.ts';
import { type Kept } from '../ir/proof.ts';
import { broken } from '../messages/plan.ts';
import { certificateFailed } from '../messages/run.ts';
import { again, type Again } from './again.ts';
import { techniques } from './table.ts';
import { type Lowered, type StepPlan, type Technique } from './technique.ts';

/** A step that was carried out: what proves it, and what it costs. */
export type Done = {
	readonly plan: StepPlan;
	readonly before: Model;
	readonly after: Model;
	readonly lowered: Lowered;
	readonly kept: Kept;
	readonly costs: () => readonly [before: Cost, after: Cost];
	/** The same with other numbers, for a proof that the model's own make weak: as often as there is something more to try. */
	readonly again: (turn: number) => Again | undefined;
};

/** An opened model between two steps. What is found out about it, is when somebody asks: after the last step few do. */
export type Between = {
	readonly model: Model;
	/** Sizes of its inputs where they are given. */
	readonly shapes: Shapes;
};

export function netOf({ model, shapes }: Between): Net {
	return buildNet(model, inferFacts(model, shapes));
}

export function costBetween({ model, shapes }: Between): Cost {
	return costOf(model, inferFacts(model, shapes));
}

export function techniqueNamed(name: string): Technique {
	return techniques.find(({ words }) => words.name === name) ?? bug('a step of no technique', { step: name });
}

export function carryOut(
	before: Between,
	plan: StepPlan,
	tensors: ReadonlyMap<string, Tensor>,
): { readonly done: Done; readonly next: Between } {
	const { shapes } = before;
	const net = netOf(before);
	const task = { net, decision: plan.decision, tensors, label: plan.statement };
	const technique = techniqueNamed(plan.technique);
	checkCertificates(plan);
	const lowered = technique.lower(task);
	const after = checked(net.model, lowered.patch);
	const kept = lowered.kept ?? new Map();
	const next = { model: opened(after), shapes: shrinkShapes(shapes, kept) };
	const done = {
		...{ plan, before: net.model, after, lowered, kept },
		costs: () => [costBetween(before), costBetween(next)] as const,
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
export function compose(first: Kept, second: Kept): Kept {
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
