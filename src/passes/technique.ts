/** The contract of a technique: it plans, states its reference, and rewrites. Adding one is one file and one line in the table. */
import { type Diagnostic } from '../diagnostic.ts';
import { type Anatomy } from '../ir/anatomy/anatomy.ts';
import { type Model, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { type Patch } from '../ir/graph/patch.ts';
import { type Net } from '../ir/axes/net.ts';
import { type Lab } from '../ir/lab.ts';
import { type Step } from '../ir/recipe/recipe.ts';
import { type TechniqueWords } from '../ir/recipe/vocabulary.ts';

/** Dead positions of an axis or letter: by name, as places in the order of `0…size`. */
export type DeadAxis = { readonly tensor: string; readonly axis: number; readonly dead: readonly number[] };
export type DeadLetter = { readonly node: number; readonly letter: string; readonly dead: readonly number[] };
/** Positions of a value that the reference multiplies with zero. */
export type Mask = { readonly value: ValueName; readonly axis: number; readonly dead: readonly number[] };

/** All that is needed to carry a step out again, as JSON (tensors apart): no scoring, no search. */
export type Decision =
	| {
			readonly kind: 'cut';
			readonly axes: readonly DeadAxis[];
			readonly letters: readonly DeadLetter[];
			readonly masks: readonly Mask[];
			/** Masks of the negative control: one more unit than was removed. */
			readonly control: readonly Mask[];
	  }
	| {
			readonly kind: 'bypass';
			/** Each value, and the one its readers read instead. */
			readonly pairs: readonly { readonly from: ValueName; readonly to: ValueName }[];
	  }
	| {
			readonly kind: 'factors';
			readonly matrices: readonly {
				readonly node: number;
				readonly slot: number;
				readonly rank: number;
				/** Names in the plan's tensors: the factors, in × rank and rank × out. */
				readonly left: string;
				readonly right: string;
				/** Share of the squared singular values that is cut off, and the measured one of the product. */
				readonly tail: number;
				readonly error: number;
			}[];
	  };

export type Removed = { readonly layer: number; readonly units: readonly number[] };

export type StepPlan = {
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
	readonly decision: Decision;
};

/** Counts of the model as it was given: numbers in recipes refer to it whatever earlier steps removed. */
export type Numbering = {
	/** Given layer index of each layer that still stands. */
	readonly layers: readonly number[];
	readonly layerCount: number;
	/** Given unit indices that still stand, by `<kind>/<given layer>`. */
	readonly units: Map<string, readonly number[]>;
};

export type PlanRequest = {
	readonly step: Step;
	readonly model: Model;
	readonly net: Net;
	readonly anatomy: Anatomy;
	readonly numbering: Numbering;
	readonly protect: readonly string[];
	readonly seed: number;
	/** Absent where nothing may be run. */
	readonly lab?: Lab;
};

export type Planned = {
	readonly plan: StepPlan;
	/** Factors and other numbers computed while planning. */
	readonly tensors: ReadonlyMap<string, Tensor>;
	readonly numbering: Numbering;
};

export type Technique = {
	readonly words: TechniqueWords;
	/** Decides; throws `Fault` for a statement that means nothing on this model. */
	plan(request: PlanRequest): Promise<Planned>;
};

/** What a decision does to a graph, and the plain graph it must equal. */
export type Lowered = {
	readonly patch: Patch;
	readonly reference: Model;
	/** The reference with one more unit gone: must differ visibly, or the proof shows nothing. */
	readonly control?: Model;
};
