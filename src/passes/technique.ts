/** The contract of a technique: it plans, states its reference, and rewrites. Adding one is one file and one line in the table. */
import { type Diagnostic } from '../diagnostic.ts';
import { type Anatomy } from '../ir/anatomy/anatomy.ts';
import { type Family } from '../ir/axes/families.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { type Model, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { type Patch } from '../ir/graph/patch.ts';
import { type Net } from '../ir/axes/net.ts';
import { type Lab } from '../ir/lab.ts';
import { type Lexicon } from '../ir/lexicon.ts';
import { type Certificate, type Claim, type Kept } from '../ir/proof.ts';
import { type Step } from '../ir/recipe/recipe.ts';
import { type TechniqueWords } from '../ir/recipe/vocabulary.ts';
import { type UnitGroup } from './units/units.ts';

/**
 * All that is needed to carry a step out again, as plain JSON (tensors apart): no scoring, no search. What is in it is
 * the technique's own business.
 */
export type Decision = Readonly<Record<string, unknown>>;

export type Removed = { readonly layer: number; readonly units: readonly number[] };

export type Ranking = {
	readonly layer: number;
	readonly label: string;
	/** Their numbers in the model as given. */
	readonly units: readonly number[];
	readonly importance: readonly number[];
};

/** What a refit of one reader did, in its own words: all that is needed to judge it. */
export type Compensated = {
	readonly layer: number;
	/** The batch normalization that it is, in the place of a reader: then mean and variance are new, the mean alone, or nothing. */
	readonly norm?: string;
	/** What was better on held-out inputs: new weights and bias, a new bias, or nothing. */
	readonly choice: 'affine' | 'bias' | 'none';
	/** ε of the damping ε·diag Σ. */
	readonly damping?: number;
	/** Of the normal equations, relative: at rounding level. */
	readonly residual: number;
	/** Squared error of the reader's output on held-out inputs, as a share of its variance, with each choice. */
	readonly heldOut: Readonly<Record<'affine' | 'bias' | 'none', number>>;
	/** What an exit's logits are divided by. */
	readonly temperature?: number;
};

export type StepPlan<D = Decision> = {
	readonly statement: string;
	readonly technique: string;
	readonly line: number;
	readonly requested: string;
	readonly selected: number;
	readonly of: number;
	readonly unit: string;
	readonly metric?: string;
	readonly removed: readonly Removed[];
	readonly refused: readonly Diagnostic[];
	/** What could be chosen from, with importance from 0 to 1 where a group has few units. */
	readonly groups?: readonly Ranking[];
	readonly compensated?: readonly Compensated[];
	/** The goals of the statement, in its last step. */
	readonly reached?: readonly Reached[];
	/** Nothing that the model computes changes: the proof's reference is the model before the step. */
	readonly exact?: boolean;
	/** What the numbers that planning computed are held against; checked before anything is carried out. */
	readonly certificates?: readonly Certificate[];
	readonly decision: D;
};

/** What every plan says of its statement. `bare` is what a statement asks for that says no more than verb and target. */
export function saidOf(
	step: Step,
	bare = '',
): Pick<StepPlan, 'statement' | 'technique' | 'line' | 'requested'> {
	const { text: statement, technique, line, target } = step;
	const words = target === undefined ? /^\S+\s*/ : /^\S+\s+\S+\s*/;
	return { statement, technique, line, requested: statement.replace(words, '') || bare };
}

/** The statement with an amount in the place of its goals. */
export function withAmount(step: Step, amount: NonNullable<Step['amount']>): Step {
	return { ...step, amount, until: [], while: [] };
}

/** Counts of the model as it was given: numbers in recipes refer to it whatever earlier steps removed. */
export type Numbering = {
	/** Given layer index of each layer that still stands. */
	readonly layers: readonly number[];
	readonly layerCount: number;
	/** Given unit indices that still stand, by `<kind>/<given layer>`. */
	readonly units: Map<string, readonly number[]>;
	/** How many units there were, by the same keys, where some are gone. */
	readonly unitCounts: ReadonlyMap<string, number>;
};

/** Every layer and unit under its own number. */
export function firstNumbering(layers: number): Numbering {
	return {
		layers: Array.from({ length: layers }, (_, at) => at),
		layerCount: layers,
		units: new Map(),
		unitCounts: new Map(),
	};
}

/** Units that a statement would rank, with their scores: larger means keep. */
export type Scored = {
	readonly metric: string;
	readonly groups: readonly {
		readonly layer: number;
		readonly label: string;
		/** Raw, by unit; of layers one number each. */
		readonly scores: readonly number[];
	}[];
};

export type PlanRequest = {
	readonly step: Step;
	readonly model: Model;
	readonly net: Net;
	/** Sizes that were given for inputs. */
	readonly shapes: Shapes;
	readonly anatomy: Anatomy;
	readonly numbering: Numbering;
	readonly protect: readonly string[];
	readonly seed: number;
	/** Absent where nothing may be run. */
	readonly lab?: Lab;
	/** Absent where no files may be read. */
	readonly lexicon?: Lexicon;
	/** How many units of each group go, where a goal has chosen. */
	readonly allotted?: Allotment;
	/** Nothing but costs is wanted of the result: readers need no refit. */
	readonly draft?: boolean;
};

export type Planned<D = Decision> = {
	readonly plan: StepPlan<D>;
	/** Factors and other numbers computed while planning. */
	readonly tensors: ReadonlyMap<string, Tensor>;
	readonly numbering: Numbering;
};

/** What a decision does to a graph, and the plain graphs it must equal. */
export type Lowered = {
	readonly patch: Patch;
	readonly claims: readonly Claim[];
	/** Kept positions of graph inputs and outputs whose shape changes. */
	readonly kept?: Kept;
	/** Kept positions of a value's axis, where it loses some. */
	readonly positions?: (value: ValueName, axis: number) => Int32Array | undefined;
};

/** What lowering may look at: the graph before the step, the decision, and the tensors that planning made. */
export type LowerTask<D = Decision> = {
	readonly net: Net;
	readonly decision: D;
	readonly tensors: ReadonlyMap<string, Tensor>;
	readonly label: string;
};

/** The groups of units in a statement's scope, what cannot go and why, and how many units there are in all. */
export type Found = {
	readonly groups: readonly UnitGroup[];
	readonly refused: readonly Diagnostic[];
	readonly total: number;
};

/** Units that a goal may take, least harmful first. Groups that share a weight are one. */
export type Offered = {
	/** Keys of the groups. */
	readonly keys: readonly string[];
	/** `the heads of layer 3`. */
	readonly label: string;
	/** What one calls its units: those of one kind take time in one way. */
	readonly unit: string;
	readonly families: readonly Family[];
	/** Units in the order in which they go. */
	readonly order: readonly number[];
	/** How many units of each group may go, ascending from 0. */
	readonly counts: readonly number[];
	/** What is lost at each count of what the readers put out, as a share of its variance. */
	readonly damage: readonly number[];
	/** The same with counts that leave another multiple; absent where the statement says which, or units are not positions. */
	readonly align?: (multiple: number) => Offered;
};
/** How many units of each group go, by the group's key. */
export type Allotment = ReadonlyMap<string, number>;

/** By the least harm, by that within half more than an equal share, or by equal shares. */
export type Sharing = 'harm' | 'bounded harm' | 'equal shares';

/** What a goal asked for and what came out, in the goal's unit. */
export type Reached = {
	/** `latency <= 60%`. */
	readonly goal: string;
	readonly unit: 'share' | 'bytes' | 'count' | 'ms' | 'plain';
	readonly asked: number;
	/** From tables, where it can be told before it is measured. */
	readonly predicted?: number;
	readonly measured: number;
	/** How what goes was dealt out among the groups, where several ways were tried: what was best on held-out inputs. */
	readonly by?: Sharing;
};

export type Technique = {
	readonly words: TechniqueWords;
	/** Groups of units that it could cut, where they are not listed with the layers or by another technique. */
	survey?(request: PlanRequest): Found;
	/** What a goal can choose from. */
	offer?(request: PlanRequest): Promise<readonly Offered[]>;
	/** The same statement at every strength, the mildest first: what a goal turns up where nothing is chosen unit by unit. */
	dial?(request: PlanRequest): readonly Step[];
	/** The scores that a statement would go by; absent where nothing is ranked. */
	score?(request: PlanRequest): Promise<Scored>;
	/** The statements that a statement is made of, carried out one after another; absent where it is always one. */
	parts?(request: PlanRequest): readonly Step[];
	/** Exact statements that open the way for a statement on this model; none on what they leave. */
	before?(request: PlanRequest): readonly Step[];
	/** Decides; throws `Fault` for a statement that means nothing on this model. */
	plan(request: PlanRequest): Promise<Planned>;
	/** From decision to graphs. Pure: the same on every machine, from the plan file alone. */
	lower(task: LowerTask): Lowered;
};

/** A technique whose decisions are of a type of its own; outside of it they are just JSON. */
export function defineTechnique<D extends object>(technique: {
	readonly words: TechniqueWords;
	survey?(request: PlanRequest): Found;
	offer?(request: PlanRequest): Promise<readonly Offered[]>;
	dial?(request: PlanRequest): readonly Step[];
	score?(request: PlanRequest): Promise<Scored>;
	parts?(request: PlanRequest): readonly Step[];
	before?(request: PlanRequest): readonly Step[];
	plan(request: PlanRequest): Promise<Planned<D>>;
	lower(task: LowerTask<D>): Lowered;
}): Technique {
	return technique as unknown as Technique;
}
