/** What is right for an example: columns, files beside the data, names of folders. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault } from '../diagnostic.ts';
import { unreadableData } from '../messages/data.ts';
import { readNpy } from './npy.ts';
import { readText, rejectRow } from './rows.ts';
import { type Field, type Label, type Row, type SampleValue } from './sample.ts';

const names: readonly string[] = ['label', 'labels', 'target', 'targets'];

export function isLabel(column: string): boolean {
	return names.includes(column.toLowerCase());
}

/** The label in a row, from the first column called one. Throws `Fault` for one that is neither a number, a text, nor a list. */
export function labelOf(row: Row): Label | undefined {
	const found = [...row.fields].find(([name, field]) => isLabel(name) && field.kind === 'plain');
	const field = found?.[1];
	if (field?.kind !== 'plain' || field.value === null || field.value === undefined) return undefined;
	const { value } = field;
	if (typeof value === 'string') return fromText(value);
	if (typeof value === 'number') return value;
	if (typeof value === 'boolean') return Number(value);
	if (Array.isArray(value) && value.every((one) => typeof one === 'number')) return value;
	return rejectRow(row.at, `\`${found?.[0] ?? ''}\` is neither a number, a text, nor a list of numbers`);
}

/** Whole numbers written out are numbers of classes. */
export function fromText(text: string): number | string {
	return /^-?\d+$/.test(text) && String(Number(text)) === text ? Number(text) : text;
}

/** The labels of a batch of arrays: an array called one, with as many rows as the inputs. */
export function labelArray(row: Row): SampleValue | undefined {
	const found = [...row.fields].find(([name, field]) => isLabel(name) && field.kind === 'tensor');
	return found?.[1].kind === 'tensor' ? found[1].value : undefined;
}

/** One label of such an array. */
export function labelAt({ dims, data }: SampleValue, at: number): Label {
	const width = dims.slice(1).reduce((product, dim) => product * dim, 1);
	if (dims.length === 1) return data[at] ?? NaN;
	return Array.from({ length: width }, (_, offset) => data[at * width + offset] ?? NaN);
}

/**
 * The labels beside an array `x.npy`: `x.labels.npy`, or `labels.npy`; for `x.ids.npy` also `x.labels.npy`.
 * Throws `Fault` when that file cannot be read.
 */
export function besideArray(path: string): Field | undefined {
	const stem = basename(path, '.npy');
	const candidates = [`${stem}.labels.npy`, `${stem.replace(/\.\w+$/, '')}.labels.npy`, 'labels.npy'];
	const file = candidates
		.map((name) => join(dirname(path), name))
		.find((one) => one !== path && existsSync(one));
	return file === undefined ? undefined : readNpy(file)[0]?.fields.values().next().value;
}

/** `labels.tsv` in a folder: the name of a file, a tab, what is right for it. */
export function readLabels(folder: string): ReadonlyMap<string, number | string> | undefined {
	const path = join(folder, 'labels.tsv');
	if (!existsSync(path)) return undefined;
	const rows = readText(path).split(/\r?\n/);
	return new Map(
		rows.flatMap((row, index): [string, number | string][] => {
			if (row.trim() === '') return [];
			const tab = row.indexOf('\t');
			if (tab < 0)
				throw new Fault(
					unreadableData({ path: `${path}:${index + 1}`, why: 'a line is a file, a tab, and its label' }),
				);
			return [[row.slice(0, tab), fromText(row.slice(tab + 1))]];
		}),
	);
}
