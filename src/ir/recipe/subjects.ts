/** What can be measured of a model or a result, and in which units. */
import * as messages from '../../messages/declarations.ts';
import { wrongUnit } from '../../messages/quantities.ts';
import { type MeasureSyntax, type Unit, type Word } from '../../parser/syntax.ts';
import { type Checking, quantityOf } from './checking.ts';
import { type Cost, type Expectation, type Quality, type Subject } from './recipe.ts';

export type Measure = {
	/** The unit of the checked value, by the unit it was written in. */
	readonly units: Readonly<Partial<Record<Unit, Expectation['unit']>>>;
	readonly example: string;
	/** As messages call a value of it. */
	readonly what: string;
	readonly summary: string;
};

const share = { '%': 'share', x: 'share' } as const;
const count = { ...share, '': 'count', K: 'count', M: 'count', G: 'count' } as const;
const bytes = { kB: 'bytes', MB: 'bytes', GB: 'bytes', KiB: 'bytes', MiB: 'bytes', GiB: 'bytes' } as const;
const part = { '%': 'share', '': 'share' } as const;

export const qualities: Readonly<Record<Quality, Measure>> = {
	cosine: {
		...{ units: { '': 'plain', '%': 'plain' }, example: 'cosine >= 0.98', what: 'a cosine' },
		summary: "mean over samples of the worst output's cosine to the original",
	},
	kl: {
		...{ units: { '': 'plain' }, example: 'kl <= 0.05', what: 'a divergence' },
		summary: "mean Kullback–Leibler divergence of the original's probabilities from the result's, in nats",
	},
	'top1 agreement': {
		...{ units: part, example: 'top1 agreement >= 99%', what: 'a share' },
		summary: "share of samples whose largest output is the original's",
	},
	accuracy: {
		...{ units: part, example: 'accuracy >= 90%', what: 'a share' },
		summary: 'the metric of `evaluate` on its data',
	},
	'accuracy drop': {
		...{ units: part, example: 'accuracy drop <= 1%', what: 'a share in points' },
		summary: 'points lost against the original on the data of `evaluate`',
	},
};

export const costs: Readonly<Record<Cost, Measure>> = {
	params: {
		...{ units: count, example: 'params <= 60%', what: 'a share or a number of parameters' },
		summary: 'parameters',
	},
	size: {
		...{ units: { ...share, ...bytes }, example: 'size <= 40MB', what: 'a share or a size in bytes' },
		summary: 'bytes of the model file and its data',
	},
	macs: {
		...{ units: count, example: 'macs <= 50%', what: 'a share or a number of multiply-adds' },
		summary: 'multiply–adds of one run',
	},
	latency: {
		...{ units: { ...share, ms: 'ms' }, example: 'latency <= 70%', what: 'a share or a time' },
		summary: 'median time of one run, measured side by side with the original',
	},
};

export const subjects: Readonly<Record<Subject, Measure>> = {
	...qualities,
	...costs,
	outputs: {
		...{ units: {}, example: 'outputs unchanged', what: 'nothing' },
		summary: 'relative L2 difference of every output stays within float rounding',
	},
};

export function wordsOf(words: readonly Word[]): string {
	return words.map(({ text }) => text).join(' ');
}

export function wordsSpan(words: readonly Word[]): Word['span'] {
	return { start: words[0]?.span.start ?? 0, end: words.at(-1)?.span.end ?? 0 };
}

/** The value of a bound in the unit of its subject, or nothing and a message. */
export function boundValue(
	subject: Subject,
	{ value }: Pick<MeasureSyntax, 'value'>,
	checking: Checking,
): Pick<Expectation, 'value' | 'unit'> | undefined {
	const { units, example, what } = subjects[subject];
	const quantity = quantityOf(value, checking);
	if (quantity === undefined) return undefined;
	const unit = units[quantity.unit];
	if (unit !== undefined) return { value: quantity.base, unit };
	const fitting = example.replace(/.* /, '');
	const place = { span: quantity.span };
	checking.problems.push(wrongUnit({ found: quantity.text, what, example: fitting }, place));
	return undefined;
}

export function unknownSubject(words: readonly Word[], known: readonly string[], checking: Checking): void {
	const found = wordsOf(words);
	checking.problems.push(messages.unknownExpectation({ found, known }, { span: wordsSpan(words) }));
}
