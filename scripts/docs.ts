/**
 * Writes the files that are generated from sources; with `--check` it writes nothing and fails when one is stale.
 *
 *     npm run docs [-- --check]
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileWasm } from './wasm.ts';
import { operatorPage } from '../src/report/operators.ts';
import { ebnf, railroad } from './grammar.ts';
import { withTables } from './reference.ts';
import { recipeSchema } from '../src/ir/recipe/recipe-schema.ts';

/** By path from the root: what the file must hold. Another generated file is another line here. */
const generated: Readonly<Record<string, () => string>> = {
	'src/numerics/tridiagonal.wasm.ts': () =>
		compileWasm('src/numerics/wasm/tridiagonal.ts', 'tridiagonalModule'),
	'grammar/README.md': () => withTables(readFileSync(join(root, 'grammar/README.md'), 'utf8')),
	'grammar/prune.ebnf': ebnf,
	'grammar/railroad.svg': railroad,
	'grammar/recipe.schema.json': () => `${JSON.stringify(recipeSchema, undefined, '\t')}\n`,
	'docs/operators.md': operatorPage,
};

const root = fileURLToPath(new URL('..', import.meta.url));
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
