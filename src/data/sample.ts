/** One set of inputs for a model, by input name. */
import { type ValueName } from '../ir/graph/graph.ts';

export type SampleValue = {
	readonly type: number;
	readonly dims: readonly number[];
	readonly data: ArrayLike<number>;
};
export type Sample = ReadonlyMap<ValueName, SampleValue>;
