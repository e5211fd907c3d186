/** Scores of a model's units as pictures of text: a row a group, a block a unit, or a summary of many. */
import { escaped } from './escape.ts';
import { heatMap } from './pictures.ts';
import { percent, table } from './tables.ts';

/** What `inspect --scores` found. */
export type ShownScores = {
	readonly inputs: string;
	readonly targets: readonly ({ readonly target: string } & (
		| {
				readonly metric: string;
				readonly groups: readonly { readonly label: string; readonly scores: readonly number[] }[];
		  }
		| { readonly why: string }
	))[];
};

const blocks = ' ▁▂▃▄▅▆▇█';
/** Units of a group that are shown one by one. */
const shown = 64;

/** Tables, a target each. Blocks are the score over the largest of the group; of layers, of all. */
export function scoreTables({ inputs, targets }: ShownScores): string {
	const parts = targets.map((one) => {
		if ('why' in one) return `${one.target}: not scored: ${one.why}`;
		const all = one.groups.every(({ scores }) => scores.length === 1) ? largestOf(one.groups) : undefined;
		const rows = one.groups.map(({ label, scores }) => [
			label,
			String(scores.length),
			pictureOf(scores, all ?? Math.max(0, ...scores)),
			...[Math.min(...scores), median(scores), Math.max(...scores)].map((value) => value.toPrecision(3)),
			percent(scores.filter((score) => score < 0.1 * Math.max(...scores)).length, scores.length),
		]);
		const head = [one.target, 'units', 'scores', 'least', 'median', 'most', 'below 0.1'];
		return `${one.target} by ${one.metric}\n${table([head, ...rows])}`;
	});
	const many = `Groups of more than ${shown} units are shown by tenths, the least important first.`;
	return `${[...parts, `On ${inputs}. ${many}`].join('\n\n')}\n`;
}

type Groups = readonly { readonly label: string; readonly scores: readonly number[] }[];

const largestOf = (groups: Groups): number => Math.max(0, ...groups.flatMap(({ scores }) => scores));

/** A block a unit; of many units, a block a tenth of them in ascending order. */
function pictureOf(scores: readonly number[], most: number): string {
	const values = scores.length <= shown ? scores : tenths(scores);
	return `[${values.map((value) => blockFor(value, most)).join('')}]`;
}

function blockFor(value: number, most: number): string {
	const share = most > 0 ? Math.max(0, Math.min(1, value / most)) : 0;
	return blocks[Math.ceil(share * (blocks.length - 1))] ?? ' ';
}

/** The middle of each tenth of the values in ascending order. */
function tenths(values: readonly number[]): number[] {
	const sorted = values.toSorted((a, b) => a - b);
	return Array.from({ length: 10 }, (_, at) => sorted[Math.floor(((at + 0.5) / 10) * sorted.length)] ?? 0);
}

function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	return sorted[sorted.length >> 1] ?? 0;
}

/** The same as heat maps. */
export function scorePictures({ inputs, targets }: ShownScores): string {
	const pictures = targets.map((one) => {
		if ('why' in one) return `<p>${escaped(`${one.target}: not scored: ${one.why}`)}</p>`;
		const all = one.groups.every(({ scores }) => scores.length === 1) ? largestOf(one.groups) : undefined;
		const rows = one.groups.map(({ label, scores }) => {
			const most = all ?? Math.max(0, ...scores);
			const values = scores.length <= shown ? scores : tenths(scores);
			const what = scores.length <= shown ? '' : 'tenth ';
			return {
				label,
				cells: values.map((value, at) => ({
					...{ value: most > 0 ? Math.max(0, value / most) : 0, gone: false },
					says: `${label}, ${what}${at}: ${value.toPrecision(4)}`,
				})),
			};
		});
		return heatMap(`${one.target} by ${one.metric}`, rows);
	});
	return `${pictures.join('\n')}<p>On ${escaped(inputs)}. Dark is important; groups of more than ${shown} units are shown by tenths, the least important first.</p>`;
}
