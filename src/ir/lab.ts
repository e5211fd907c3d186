/** Numbers that passes need from runs of the model: handed in by the pipeline, so that passes stay pure. */
import { type Model, type ValueName } from './graph/graph.ts';
import { type Products } from './matrix.ts';

/** Sums over every position of a value, by coordinate of one axis. */
export type Moments = { readonly count: number; readonly sum: Float64Array; readonly squares: Float64Array };

export type Lab = {
	/** Where products of large matrices are made. */
	readonly products: Products;
	/** Where the inputs come from, in words. */
	readonly inputs: string;
	/** Whether they are the user's own data. */
	readonly calibrated: boolean;
	moments(
		model: Model,
		requests: readonly { readonly value: ValueName; readonly axis: number }[],
	): Promise<Moments[]>;
	/** Mean cosine between two values along the last axis. */
	similarity(model: Model, pairs: readonly (readonly [ValueName, ValueName])[]): Promise<number[]>;
};
