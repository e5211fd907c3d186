/**
 * Makes `dist/`: the library with its types (`lib/`), the command line (`prunec.cjs`, which starts the program beside it), and the licences of
 * what is inside.
 *
 *     npm run build
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
	cwd: root,
	stdio: 'inherit',
});
const { inputs } = await bundle(join(dist, 'prunec.cjs'));
writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), licences(Object.keys(inputs)));

/** Name, version and licence text of every package that a file of the bundle comes from. */
function licences(files: readonly string[]): string {
	const packages = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
	return [...new Set(packages)]
		.sort()
		.map(licence)
		.join(`\n\n${'-'.repeat(80)}\n\n`);
}

function licence(folder: string): string {
	const path = join(root, folder);
	const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<
		'name' | 'version' | 'license',
		string
	>;
	const texts = readdirSync(path)
		.filter((file) => /^(licen[cs]e|notice)/i.test(file))
		.sort()
		.map((file) => readFileSync(join(path, file), 'utf8').trim());
	return [`${name} ${version} (${license})`, ...texts].join('\n\n');
}
