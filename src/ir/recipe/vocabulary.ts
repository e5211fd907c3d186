/**
 * What the checker, completion and did-you-mean know of techniques and metrics: data, handed in by the tables of
 * `passes/`. The grammar knows no verb: a technique declares its verb and target, which amounts and clauses it accepts,
 * and the words that clauses take; what a statement says arrives typed in its `Step`.
 */
import { type Amount } from './recipe.ts';

export type AmountKind = Amount['kind'];
/** Clauses whose operands the language defines. */
export type Clause =
	| 'in'
	| 'except'
	| 'where'
	| 'by'
	| 'align'
	| 'min'
	| 'globally'
	| 'across'
	| 'after'
	| 'fit'
	| 'until'
	| 'while'
	| 'may change';
/** Clauses whose operand is a word of the technique's own; `keep` as in `keep last`. */
export type WordClause = 'with' | 'without' | 'only' | 'at' | 'keep';

/** A word that means something in one place, and what. */
export type Choice = { readonly word: string; readonly summary: string };

export type TechniqueWords = {
	/** `prune-heads`. */
	readonly name: string;
	readonly verb: string;
	/** Absent when the verb stands alone: `exit`, bare `share`. It may be several words: `embeddings dims`. */
	readonly target?: string;
	/** Other words for the target, as `neurons` for `ffn`. */
	readonly aliases: readonly string[];
	readonly summary: string;
	/** One statement that works, for reference pages and hints. */
	readonly example: string;
	readonly amounts: readonly AmountKind[];
	/** Whether a statement without amount, predicate and goal means something. */
	readonly bare: boolean;
	readonly clauses: readonly Clause[];
	/** Takes time by itself, and says so: who writes it has been told that the result may be slower. */
	readonly isSlower?: true;
	/** Clauses without which a statement means nothing. */
	readonly needs?: readonly ('after' | 'across' | 'when' | 'in' | 'with')[];
	/** Words of `with`, `without`, `only`, `at` and `keep`; a clause that is absent here is not accepted. */
	readonly choices?: Readonly<Partial<Record<WordClause, readonly Choice[]>>>;
	/** Fields that `when` compares; absent: `when` is not accepted. */
	readonly signals?: readonly Choice[];
	/** Fields of `where` beside those of every unit and the metrics. */
	readonly fields?: readonly Choice[];
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
	/** What `evaluate` can measure. */
	readonly measures: readonly Pick<MetricWords, 'name' | 'summary'>[];
};

/** `prune heads`, or `exit`. */
export function statementName({ verb, target }: Pick<TechniqueWords, 'verb' | 'target'>): string {
	return target === undefined ? verb : `${verb} ${target}`;
}

/** The names of a technique's target; none for a verb that stands alone. */
export function targetNames({ target, aliases }: TechniqueWords): readonly string[] {
	return target === undefined ? aliases : [target, ...aliases];
}

/** The words that the amounts of a technique begin with. */
export function amountWords({ amounts }: TechniqueWords): readonly string[] {
	const words = amounts.flatMap((kind) => {
		if (kind.startsWith('keep') || kind === 'schedule') return ['keep'];
		if (kind === 'remove-count' || kind === 'remove-share') return ['lowest'];
		return ['rank', 'energy', 'ratio', 'auto'].includes(kind) ? [kind] : [];
	});
	return [...new Set(words)];
}

/** Every clause word that a technique accepts. */
export function clausesOf({ clauses, choices = {}, signals = [] }: TechniqueWords): readonly string[] {
	const worded = Object.keys(choices).filter((clause) => clause !== 'keep');
	return [...clauses, ...worded, ...(signals.length > 0 ? ['when'] : [])];
}
