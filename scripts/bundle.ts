/** The command line without its packages: everything but onnxruntime inside, schemas compiled ahead. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Ajv, type AnySchemaObject, type ValidateFunction } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
	readonly optionalDependencies: Readonly<Record<string, string>>;
};

/** Puts the code that ajv writes for a schema in the place of the file that has it compiled. */
const validators: Plugin = {
	name: 'validators',
	setup: (host) => {
		host.onLoad({ filter: /-validator\.ts$/ }, async ({ path }) => {
			const { ajv, ...functions } = (await import(pathToFileURL(path).href)) as { readonly ajv: Ajv };
			const ids = Object.entries(functions as Record<string, ValidateFunction>).map(([name, { schema }]) => [
				name,
				(schema as AnySchemaObject).$id ?? '',
			]);
			const write = standalone as unknown as typeof standalone.default;
			const contents = write(ajv, Object.fromEntries(ids) as Record<string, string>);
			return { contents, loader: 'js', resolveDir: dirname(path) };
		});
	},
};

/** Everything that a program imports, but the packages that are optional, as one text. */
async function bundled(
	entry: string,
	own: Pick<BuildOptions, 'banner' | 'footer' | 'define' | 'supported'>,
): Promise<{ readonly text: string; readonly metafile: Metafile }> {
	const options = {
		entryPoints: [join(root, entry)],
		...{ outdir: root, bundle: true, write: false as const, metafile: true as const },
		...{ platform: 'node' as const, format: 'cjs' as const, target: 'node20.19' },
		external: Object.keys(manifest.optionalDependencies),
		minifyWhitespace: true,
		minifySyntax: true,
		legalComments: 'none' as const,
		// An import of types alone must not load the file it names.
		tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: false } },
		plugins: [validators],
		logLevel: 'warning' as const,
		...own,
	} satisfies BuildOptions;
	const { outputFiles, metafile } = await build(options);
	return { text: outputFiles[0]?.text ?? '', metafile };
}

/**
 * Writes a program as two files: `outfile`, which starts it, and the program beside it, a script that is a function of `require` and of its
 * own path. Modules that are imported on demand are in it too and run on demand. Packages that are optional stay outside.
 */
export async function bundle(outfile: string, entry = 'src/cli.ts'): Promise<Metafile> {
	const folder = dirname(outfile);
	const { text, metafile } = await bundled(entry, {
		// Code that comes from a cache cannot import: it requires.
		supported: { 'dynamic-import': false },
		define: { 'import.meta.url': 'importMetaUrl' },
		banner: {
			js: "(function(require,__filename){const importMetaUrl=require('node:url').pathToFileURL(__filename).href,module={exports:{}};",
		},
		footer: { js: '})' },
	});
	const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
	const program = `${basename(outfile, '.cjs')}-${hash}.js`;
	const launcher = await bundled('src/launch.ts', {
		define: { PROGRAM: JSON.stringify(program) },
		banner: { js: '#!/usr/bin/env node' },
	});
	mkdirSync(folder, { recursive: true });
	for (const name of readdirSync(folder))
		if (new RegExp(`^${basename(outfile, '.cjs')}-[0-9a-f]{12}\\.js$`).test(name) && name !== program)
			rmSync(join(folder, name));
	writeFileSync(join(folder, program), text);
	writeFileSync(outfile, launcher.text, { mode: 0o755 });
	return metafile;
}
