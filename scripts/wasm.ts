/** Compiles AssemblyScript to a TypeScript file that holds the module as base64: running from a checkout needs no build. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const compiler = 'node_modules/assemblyscript/bin/asc.js';
const options = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd', '--initialMemory', '1'];

/** The text of a file that exports the module compiled from `source` as `name`; paths from the root. */
export function compileWasm(source: string, name: string): string {
	const folder = mkdtempSync(join(tmpdir(), 'prunec-wasm-'));
	try {
		const file = join(folder, 'module.wasm');
		execFileSync(process.execPath, [compiler, source, ...options, '--outFile', file], { stdio: 'inherit' });
		const text = readFileSync(file).toString('base64');
		return `/** Generated from ${source} by \`npm run docs\`. */\nexport const ${name} =\n\t'${text}';\n`;
	} finally {
		rmSync(folder, { recursive: true });
	}
}
