/** The command line as one file: everything but onnxruntime inside, schemas compiled ahead. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Ajv, type AnySchemaObject, type ValidateFunction } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import { build as esbuild, type Metafile, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
	readonly optionalDependencies: Readonly<Record<string, string>>;
};

/** Puts the code that ajv writes for a schema in the place of the file that has it compiled. */
const validators: Plugin = {
	name: 'validators',
	setup: (build) => {
		build.onLoad({ filter: /-validator\.ts$/ }, async ({ path }) => {
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

/**
 * Writes a program as one file for what always runs and one in `parts/` for each piece that is loaded on demand, so that a
 * command starts without reading the code of the others. Packages that are optional stay outside.
 */
export async function bundle(outfile: string, entry = 'src/cli.ts'): Promise<Metafile> {
	const { metafile } = await esbuild({
		entryPoints: { [basename(outfile, '.js')]: join(root, entry) },
		...{ outdir: dirname(outfile), bundle: true, splitting: true, chunkNames: 'parts/[hash]' },
		...{ metafile: true, platform: 'node', format: 'esm', target: 'node20.19' },
		external: Object.keys(manifest.optionalDependencies),
		minifyWhitespace: true,
		minifySyntax: true,
		legalComments: 'none',
		// An import of types alone must not load the file it names.
		tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: false } },
		// Packages in CommonJS ask for Node's own modules with require.
		banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
		plugins: [validators],
		logLevel: 'warning',
	});
	return metafile;
}
