/** Lists of words that completion offers, each with what it means. */
import { clausePages, openerPages } from '../ir/recipe/word-pages.ts';
import { type TechniqueWords, type WordClause } from '../ir/recipe/vocabulary.ts';
import { vocabulary } from '../vocabulary.ts';

/** What kind of word an entry is, for its picture in the list. */
export type Sort = 'verb' | 'target' | 'clause' | 'metric' | 'field' | 'value' | 'param' | 'place' | 'word';
export type Entry = {
	readonly text: string;
	readonly sort: Sort;
	readonly about: string;
	readonly example?: string;
};

export const words = (list: Readonly<Record<string, string>>, sort: Sort): Entry[] =>
	Object.entries(list).map(([text, about]) => ({ text, sort, about }));
export const subjectsOf = (
	list: Readonly<Record<string, { readonly summary: string; readonly example: string }>>,
): Entry[] =>
	Object.entries(list).map(([text, { summary, example }]) => ({
		text,
		sort: 'field',
		about: summary,
		example,
	}));

export function statements(): Entry[] {
	const verbs = [...new Set(vocabulary.techniques.map(({ verb }) => verb))].map((text): Entry => {
		const own = vocabulary.techniques.filter(({ verb }) => verb === text);
		const about =
			own.length === 1 ? (own[0]?.summary ?? '') : `Of ${own.map(({ target }) => target ?? '').join(', ')}.`;
		return { text, sort: 'verb', about, example: own[0]?.example ?? text };
	});
	const openers = Object.entries(openerPages).map(([text, { summary, example }]): Entry => ({
		text,
		sort: 'word',
		about: summary,
		example,
	}));
	const may: Entry = {
		text: 'may change',
		sort: 'word',
		about: clausePages.may.summary,
		example: 'may change "logits"',
	};
	return [...verbs, ...openers, may];
}

export function clause(word: keyof typeof clausePages): Entry {
	const { summary, example } = clausePages[word];
	return { text: word, sort: 'clause', about: summary, example };
}

export function targets(own: readonly TechniqueWords[]): Entry[] {
	return own.flatMap(({ target, summary, example }) =>
		target === undefined ? [] : [{ text: target, sort: 'target', about: summary, example }],
	);
}

export function metrics(own: readonly TechniqueWords[]): Entry[] {
	const names = new Set(own.flatMap((one) => one.metrics));
	return vocabulary.metrics
		.filter(({ name }) => names.has(name))
		.map(({ name, summary, needs }) => ({ text: name, sort: 'metric', about: `${summary} Needs ${needs}.` }));
}

export function choicesOf(own: readonly TechniqueWords[], word: WordClause): Entry[] {
	return own
		.flatMap((one) => one.choices?.[word] ?? [])
		.map(({ word: text, summary }) => ({ text, sort: 'value', about: summary }));
}

export function places(word: string): Entry[] {
	const layers: Entry = {
		text: 'layers',
		sort: 'place',
		about: 'layers by number, from 0: `layers 6..12`',
		example: 'prune heads 25% in layers 50%..',
	};
	if (word === 'after')
		return [
			layers,
			{ text: 'layer', sort: 'place', about: 'one layer by number' },
			{ text: 'last attention', sort: 'place', about: 'behind the last attention' },
		];
	const stacks: Readonly<Record<string, string>> = {
		encoder: 'everything in the encoder',
		decoder: 'everything in the decoder',
		'encoder layers': 'layers of the encoder by number',
		'decoder layers': 'layers of the decoder by number',
		'cross attention': 'attention that reads another stack',
		'"*"': 'a glob over names of nodes and weights',
	};
	return [layers, ...words(stacks, 'place')];
}

/** Ranges of any model, and the halves of those at hand. */
export function ranges(counts: readonly number[]): Entry[] {
	const any: Readonly<Record<string, string>> = {
		'50%..': 'the upper half',
		'..50%': 'the lower half',
		'-2..': 'the last two',
		'[0, -1]': 'the first and the last',
	};
	const own = counts.flatMap((count): [string, string][] => {
		const half = Math.floor(count / 2);
		return [
			[`0..${count}`, `layers 0 to ${count - 1}: all of ${count}`],
			[`${half}..${count}`, `layers ${half} to ${count - 1} of ${count}`],
		];
	});
	return words({ ...Object.fromEntries(own), ...any }, 'value');
}

const forms: Readonly<Record<string, readonly [text: string, about: string]>> = {
	'remove-share': ['25%', 'the least important quarter goes'],
	'remove-count': ['2', 'two of each group go'],
	'keep-share': ['keep 50%', 'half of each group stays'],
	'keep-count': ['keep 8', 'eight of each group stay'],
	set: ['[0, 1]', 'exactly these go'],
	rank: ['rank 64', 'columns of the factors'],
	energy: ['energy 95%', 'the smallest rank that keeps this share'],
	ratio: ['ratio 50%', 'the share of parameters that stays'],
	auto: ['auto', 'whatever is measured to pay'],
	'keep-file': ['keep "tokens.txt"', 'what a file lists'],
	'keep-seen': ['keep seen 2 times in "corpus.txt"', 'what a corpus holds so often'],
	pattern: ['2:4', 'two of every four stay'],
};

export function amounts(own: readonly TechniqueWords[], behindKeep = false): Entry[] {
	const all = [...new Set(own.flatMap((one) => one.amounts))].flatMap((kind) => {
		const form = forms[kind];
		return form === undefined ? [] : [{ text: form[0], sort: 'value' as const, about: form[1] }];
	});
	if (!behindKeep) return all;
	return all.flatMap((one) => (one.text.startsWith('keep ') ? [{ ...one, text: one.text.slice(5) }] : []));
}
