/**
 * Statements whose work depends on the input, on every transformer of a folder: proven, or refused and why. Writes docs/zoo-tokens.md.
 *
 *     node --import tsx bench/zoo/adaptive.ts <folder with MANIFEST.tsv> [more models…]
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { compile } from '../../src/compile.ts';
import { findAnatomy } from '../../src/ir/anatomy/anatomy.ts';
import { buildNet } from '../../src/ir/axes/net.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';

const statements = [
	['prune tokens', 'prune tokens keep 50% after layer 0'],
	['merge tokens', 'merge tokens 30% after layer 0'],
	['keep last', 'prune tokens keep last after last attention may change "*"'],
	['exit', 'exit after layer 0 when confidence > 0.5'],
] as const;

type Source = { readonly path: string; readonly from: string };

function sourcesIn(folder: string): Source[] {
	const manifest = join(folder, 'MANIFEST.tsv');
	if (!existsSync(manifest)) return [];
	const [head = '', ...lines] = readFileSync(manifest, 'utf8').trim().split('\n');
	const columns = head.split('\t');
	return lines.flatMap((line) => {
		const cells = line.split('\t');
		const cell = (name: string): string => cells[columns.indexOf(name)] ?? '';
		if (!cell('file').endsWith('.onnx')) return [];
		const from = `${cell('source_repo')}@${cell('commit').slice(0, 10)}, sha256 ${cell('sha256').slice(0, 12)}`;
		return [{ path: join(folder, cell('file')), from }];
	});
}

/** How many layers with an attention a model has; none where it is no transformer. */
function layersOf(path: string): number {
	const { model, file } = loadModel(path);
	try {
		const { layers } = findAnatomy(buildNet(model, inferFacts(model)));
		return layers.filter(({ blocks }) => blocks.some(({ kind }) => kind === 'attention')).length;
	} finally {
		file.close();
	}
}

async function verdict(model: string, recipe: string): Promise<string> {
	try {
		const { ok, steps, diagnostics } = await compile({ recipe, model, samples: 2 });
		const proof = steps.at(-1)?.proof;
		if (ok && proof?.ok === true)
			return `${proof.weak ? 'weak' : 'proven'}, ${proof.maxAbs.toExponential(0)}`;
		const found = diagnostics.find(({ severity }) => severity === 'error');
		return found === undefined ? 'nothing to do' : `${found.code}: ${found.message}`;
	} catch (problem) {
		return `stopped: ${(problem as Error).message.split('\n')[0] ?? ''}`;
	}
}

const [folder = '', ...more] = process.argv.slice(2);
const sources = [...sourcesIn(folder), ...more.map((path) => ({ path, from: 'given by hand' }))];
const reasons: string[] = [];
const rows: string[] = [];
for (const { path, from } of sources) {
	const name = basename(path);
	let layers = 0;
	try {
		layers = layersOf(path);
	} catch {
		continue;
	}
	if (layers === 0) continue;
	const cells: string[] = [];
	for (const [, recipe] of statements) {
		const said = await verdict(path, recipe);
		process.stderr.write(`${name}\t${recipe}\t${said}\n`);
		if (!said.includes(':')) cells.push(said);
		else {
			if (!reasons.includes(said)) reasons.push(said);
			cells.push(`[${reasons.indexOf(said) + 1}]`);
		}
	}
	rows.push(`| ${name} | ${layers} | ${cells.join(' | ')} | ${from} |`);
}
const page = [
	'# Tokens and exits on exported models',
	'',
	'Written by `bench/zoo/adaptive.ts` over a folder of models that others have published; numbers are the largest difference to the reference, those in brackets the reasons below.',
	'Only models in which layers with an attention are found are listed. Statements: ' +
		statements.map(([, recipe]) => `\`${recipe}\``).join(', ') +
		'.',
	'',
	`| model | layers | ${statements.map(([short]) => short).join(' | ')} | source |`,
	`|---|---|${statements.map(() => '---|').join('')}---|`,
	...rows,
	'',
	...reasons.map((reason, at) => `${at + 1}. ${reason.replaceAll('|', '\\|')}`),
	'',
];
writeFileSync('docs/zoo-tokens.md', page.join('\n'));
