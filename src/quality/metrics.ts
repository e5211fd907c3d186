/** Every metric of quality. */
import { edits, readCtc } from './ctc.ts';
import { macroF1 } from './f1.ts';
import { ratio, type Metric, type Observation, type Seen } from './metric.ts';
import { neighbours, rankAgreement } from './neighbours.ts';
import { classesOf, scoresOf, vectorOf } from './outputs.ts';
import { nextTokens } from './perplexity.ts';

const share = { better: 'higher', isShare: true } as const;
/** A class of −100 marks a position that no class is asked for, as Hugging Face data sets have it. */
const ignored = -100;

/** Pairs of a predicted and a right class. */
function pairs({ outputs, label }: Seen): [predicted: number, right: number][] | undefined {
	const predicted = classesOf(outputs);
	const right = typeof label === 'number' ? [label] : label;
	if (predicted === undefined || right === undefined || typeof right === 'string') return undefined;
	if (predicted.length !== right.length) return undefined;
	return predicted.flatMap((one, at): [number, number][] => {
		const class_ = right[at] ?? ignored;
		return class_ === ignored ? [] : [[one, class_]];
	});
}

function textOf({ outputs, letters }: Seen): string | undefined {
	const scores = scoresOf(outputs);
	return scores === undefined || letters === undefined ? undefined : readCtc(scores, letters);
}

const accuracy: Metric = {
	...{ name: 'accuracy', ...share, value: ratio },
	summary: 'share of classes predicted right',
	observe: (seen) => {
		const all = pairs(seen);
		return all && [all.filter(([predicted, right]) => predicted === right).length, all.length];
	},
};

const f1: Metric = {
	...{ name: 'f1', ...share, value: macroF1 },
	summary: 'F1 of each class, averaged over the classes (macro)',
	observe: (seen) => pairs(seen)?.flat(),
};

const exactMatch: Metric = {
	...{ name: 'exact_match', ...share, value: ratio },
	summary: 'share of examples whose whole answer is right: every position, or the whole text',
	observe: (seen) => {
		const text = typeof seen.label === 'string' ? textOf(seen) : undefined;
		if (text !== undefined) return [Number(text === seen.label), 1];
		const all = pairs(seen);
		return all && [Number(all.every(([predicted, right]) => predicted === right)), 1];
	},
};

const characters: Metric = {
	...{ name: 'characters', ...share, value: ratio },
	summary: 'one minus the edits that turn the texts read into the right ones, per character (1 - CER)',
	observe: (seen) => {
		const text = textOf(seen);
		if (text === undefined || typeof seen.label !== 'string') return undefined;
		return [seen.label.length - edits(text, seen.label), seen.label.length];
	},
};

const perplexity: Metric = {
	...{ name: 'perplexity', better: 'lower', isShare: false },
	summary: 'exp of the mean negative log-likelihood of each next token',
	observe: nextTokens,
	value: (all) => Math.exp(ratio(all)),
};

const agreement: Metric = {
	...{ name: 'agreement', ...share, value: ratio },
	summary: 'share of rows in which the highest score is that of the first model',
	observe: ({ outputs, original, mask }) => {
		const [own, first] = [classesOf(outputs), classesOf(original)];
		if (own === undefined || first?.length !== own.length) return undefined;
		const counts = (at: number): boolean => mask?.data.length !== own.length || mask.data[at] !== 0;
		const rows = own.map((_, at) => at).filter(counts);
		return [rows.filter((at) => own[at] === first[at]).length, rows.length];
	},
};

const cosine: Metric = {
	...{ name: 'cosine', better: 'higher', isShare: false, value: ratio },
	summary: 'mean cosine between the vector of an example and that of the first model',
	observe: (seen) => {
		const both = vectors(seen);
		if (both === undefined) return undefined;
		const [own, first] = both;
		return [own.reduce((sum, value, at) => sum + value * (first[at] ?? 0), 0), 1];
	},
};

function vectors(seen: Seen): [own: number[], first: number[]] | undefined {
	const own = vectorOf(seen);
	const first = vectorOf({ ...seen, outputs: seen.original });
	return own === undefined || first?.length !== own.length ? undefined : [own, first];
}

const both = (seen: Seen): Observation | undefined => vectors(seen)?.flat();

const overlap: Metric = {
	...{ name: 'overlap', ...share, value: ratio, observe: both, across: neighbours },
	summary: 'share of the ten nearest other examples that are those of the first model (retrieval)',
};

const spearman: Metric = {
	...{
		name: 'spearman',
		better: 'higher',
		isShare: false,
		value: ratio,
		observe: both,
		across: rankAgreement,
	},
	summary:
		'rank correlation of the similarities to all other examples with those of the first model, averaged over examples',
};

export const metrics: readonly Metric[] = [
	...[accuracy, f1, exactMatch, characters, perplexity],
	...[agreement, cosine, overlap, spearman],
];

/** What is measured when nobody says: by the label if there is one, else by what the model gives out. */
export function usualMetrics(seen: Seen): readonly Metric[] {
	const fits = (metric: Metric): boolean => metric.observe(seen) !== undefined;
	if (typeof seen.label === 'string') return [exactMatch, characters].filter(fits);
	if (seen.label !== undefined) return [accuracy].filter(fits);
	const names = [...seen.outputs.keys()].join(' ');
	if (/embedding|hidden/.test(names)) return [spearman, overlap, cosine].filter(fits);
	if (seen.ids !== undefined && fits(perplexity)) return [perplexity, agreement];
	return [agreement, cosine].filter(fits);
}
