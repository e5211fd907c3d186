/** Where models come from: rows of a `MANIFEST.tsv` beside them, or the npm package that they lie in. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { modelsIn } from './trials.ts';

/** By the model's name: repository and commit, or package and version. */
export type Sources = ReadonlyMap<string, string>;

export function sourcesIn(paths: readonly string[]): Sources {
	return new Map(
		modelsIn(paths).flatMap((path) => {
			const found = listed(path) ?? packed(path);
			return found === undefined ? [] : [[basename(path, '.onnx'), found] as const];
		}),
	);
}

function listed(path: string): string | undefined {
	const manifest = join(dirname(path), 'MANIFEST.tsv');
	if (!existsSync(manifest)) return undefined;
	const [head = [], ...rows] = readFileSync(manifest, 'utf8')
		.split('\n')
		.map((line) => line.split('\t'));
	const row = rows.find((one) => one[head.indexOf('file')] === basename(path));
	const of = (column: string): string => row?.[head.indexOf(column)] ?? '';
	return row && `${of('source_repo')} at ${of('commit').slice(0, 12)}, ${of('path')}`;
}

/** The nearest package that has a version. */
function packed(path: string): string | undefined {
	for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
		const file = join(folder, 'package.json');
		if (!existsSync(file)) continue;
		const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, string>>;
		if (name !== undefined && version !== undefined) return `${name}@${version} (npm)`;
	}
	return undefined;
}
