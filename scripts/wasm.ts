/** Compiles AssemblyScript to a TypeScript file that holds the module as base64: running from a checkout needs no build. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const compiler = 'node_modules/assemblyscript/bin/asc.js';
const options = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd', '--initialMemory', '1'];

/**
 * The text of `file`, which exports the module compiled from `source` as `name`; paths from the root. Compiling takes its
 * time: a file that names the hashes of this source and of its own module is returned as it is.
 */
export function wasmFile(file: string, source: string, name: string): string {
	const from = hash(JSON.stringify([readFileSync(source, 'utf8'), options]));
	const around = (module: string): string =>
		[
			`/** Generated from ${source} by \`npm run docs\`; source ${from}, module ${hash(module)}. */`,
			`export const ${name} =\n\t'${module}';\n`,
		].join('\n');
	const present = existsSync(file) ? readFileSync(file, 'utf8') : '';
	const [, known = ''] = /'([^']*)'/.exec(present) ?? [];
	return present === around(known) ? present : around(compile(source));
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** The module in base64. */
function compile(source: string): string {
	const folder = mkdtempSync(join(tmpdir(), 'prunec-wasm-'));
	try {
		const file = join(folder, 'module.wasm');
		execFileSync(process.execPath, [compiler, source, ...options, '--outFile', file], { stdio: 'inherit' });
		return readFileSync(file).toString('base64');
	} finally {
		rmSync(folder, { recursive: true });
	}
}
