/** What is in a folder: the files that are read, in the order of their names, with labels from `labels.tsv` or subfolders. */
import { readdirSync } from 'node:fs';
import { basename, extname, join, relative } from 'node:path';
import { fromText, readLabels } from './labels.ts';

export type FileOf = { readonly path: string; readonly label?: number | string };

/** Files that describe a model or the data rather than being data. */
const described = /^(labels\.(tsv|npy)|.+\.labels\.npy)$/;

/**
 * Files with these extensions, in the folder and one level of folders in it. A folder in it names the class of the files it
 * holds, unless `labels.tsv` says what is right for them.
 */
export function filesOf(folder: string, extensions: ReadonlySet<string>): FileOf[] {
	const labels = readLabels(folder);
	const entries = readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
	const isRead = (name: string): boolean =>
		extensions.has(extname(name).toLowerCase()) && !described.test(name);
	const inner = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
	const own = entries.filter((entry) => !entry.isDirectory() && isRead(entry.name));
	const deep = inner.flatMap(({ name }) =>
		readdirSync(join(folder, name))
			.toSorted()
			.filter(isRead)
			.map((file) => ({ path: join(folder, name, file), class: fromText(name) })),
	);
	// Loose files beside folders are the set, and the folders something else: a folder of calibration images beside it.
	const files =
		own.length > 0 ? own.map(({ name }) => ({ path: join(folder, name), class: undefined })) : deep;
	return files.map((file) => {
		const said = labels?.get(relative(folder, file.path)) ?? labels?.get(basename(file.path));
		const label = said ?? file.class;
		return { path: file.path, ...(label !== undefined && { label }) };
	});
}
