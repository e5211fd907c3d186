/** What the checker, completion and did-you-mean know of techniques and metrics: data, handed in by the tables of `passes/`. */
import { type Amount } from './recipe.ts';

export type AmountKind = Amount['kind'];
export type Clause = 'in' | 'except' | 'where' | 'by' | 'only' | 'align' | 'min' | 'globally';

export type TechniqueWords = {
	/** `prune-heads`. */
	readonly name: string;
	readonly verb: string;
	readonly target: string;
	/** Other words for the target, as `neurons` for `ffn`. */
	readonly aliases: readonly string[];
	readonly summary: string;
	/** One statement that works, for reference pages and hints. */
	readonly example: string;
	readonly amounts: readonly AmountKind[];
	/** Whether a statement without amount and predicate means something. */
	readonly bare: boolean;
	readonly clauses: readonly Clause[];
	/** Metrics that can rank its units, by name; the first that needs no data is the default without data. */
	readonly metrics: readonly string[];
};

export type MetricWords = {
	readonly name: string;
	readonly summary: string;
	/** What must be run to compute it. */
	readonly needs: 'nothing' | 'calibration';
};

export type Vocabulary = {
	readonly techniques: readonly TechniqueWords[];
	readonly metrics: readonly MetricWords[];
};
