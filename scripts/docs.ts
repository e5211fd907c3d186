/**
 * Writes the files that are generated from sources; with `--check` it writes nothing and fails when one is stale.
 *
 *     npm run docs [-- --check]
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { wasmFile } from './wasm.ts';
import { indexFiles } from '../src/project/index.ts';
import { readProject } from '../src/project/project.ts';
import { projectSchema, testSchema } from '../src/project/schemas.ts';
import { operatorPage } from '../src/report/operators.ts';
import { ebnf, railroad } from './grammar.ts';
import { withTables } from './reference.ts';
import { textmate } from './textmate.ts';
import { lockSchema } from '../src/imports/lock-schema.ts';
import { publishedSchema } from './published-schema.ts';
import { vocabulary } from '../src/vocabulary.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const recipes = (file: string): string =>
	indexFiles(readProject(join(root, 'recipes'))).get(join(root, 'recipes', file)) ?? '';

const wasm = 'src/numerics/tridiagonal.wasm.ts';
const sums = 'src/numerics/sums.wasm.ts';
/** By path from the root: what the file must hold. Another generated file is another line here. */
const generated: Readonly<Record<string, () => string>> = {
	[wasm]: () => wasmFile(wasm, 'src/numerics/wasm/tridiagonal.ts', 'tridiagonalModule'),
	[sums]: () => wasmFile(sums, 'src/numerics/wasm/sums.ts', 'sumsModule'),
	'grammar/README.md': () => withTables(readFileSync(join(root, 'grammar/README.md'), 'utf8')),
	'grammar/prune.ebnf': ebnf,
	'grammar/railroad.svg': railroad,
	'editors/vscode/prune.tmLanguage.json': textmate,
	'grammar/recipe.schema.json': () => `${JSON.stringify(publishedSchema(vocabulary), undefined, '\t')}\n`,
	'docs/operators.md': operatorPage,
	'recipes/index.json': () => recipes('index.json'),
	'recipes/README.md': () => recipes('README.md'),
	'grammar/project.schema.json': () => `${JSON.stringify(projectSchema, undefined, '\t')}\n`,
	'grammar/recipe-test.schema.json': () => `${JSON.stringify(testSchema, undefined, '\t')}\n`,
	'grammar/lock.schema.json': () => `${JSON.stringify(lockSchema, undefined, '\t')}\n`,
};

const checking = process.argv.includes('--check');
for (const [path, make] of Object.entries(generated)) {
	const file = join(root, path);
	const text = make();
	if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
	if (checking) {
		console.error(`${path} is stale: npm run docs writes it`);
		process.exitCode = 1;
	} else {
		writeFileSync(file, text);
		console.log(`wrote ${path}`);
	}
}
