/** `init` and `completion`: what one meets first. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { checkText } from '../../src/recipe-text/check-text.ts';
import { commands } from '../../src/cli/commands.ts';
import { completion } from '../../src/cli/completion.ts';
import { catalogue } from '../../src/messages/catalogue.ts';
import { compile } from '../../src/compile.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { formatRecipe } from '../../src/parser/print.ts';
import { starterRecipe } from '../../src/tasks/starter.ts';
import { recognizer } from '../../examples/read-lines.ts';
import { golden } from '../harness/golden.ts';
import { encoder, modelBuilder } from '../harness/model.ts';
import { folderWith, removeFolders } from '../harness/process.ts';

const test = suite('starting');
test.after(removeFolders);

function convolutions(): Model {
	const b = modelBuilder();
	let x = b.input('image', ['batch', 3, 16, 16]);
	for (const [from, to] of [
		[3, 32],
		[32, 64],
		[64, 32],
	] as const) {
		x = b.node('Conv', [x, b.weight([to, from, 3, 3]), b.weight([to])], { pads: [1, 1, 1, 1] });
		x = b.node('BatchNormalization', [x, b.positive(to), b.weight([to]), b.weight([to]), b.positive(to)]);
		x = b.node('Relu', [x]);
	}
	b.output(b.node('Flatten', [b.node('GlobalAveragePool', [x])]));
	return b.build();
}

function recurrent(): Model {
	const b = modelBuilder();
	const first = b.node(
		'GRU',
		[b.input('x', ['steps', 1, 8]), b.weight([1, 72, 8]), b.weight([1, 72, 24])],
		{ hidden_size: 24 },
		'',
		1,
	);
	b.output(b.node('MatMul', [first, b.weight([24, 5])]));
	return b.build();
}

function nothing(): Model {
	const b = modelBuilder();
	b.output(b.node('Relu', [b.input('x', [2, 3])]));
	return b.build();
}

const models: Readonly<Record<string, () => Model>> = {
	encoder: () => encoder(4, { heads: 4, width: 8, hidden: 64 }),
	'old-exporter': () =>
		encoder(2, { heads: 4, width: 8, hidden: 48, post: true }, { constants: true, ir: 3 }),
	convolutions,
	recurrent,
	nothing,
};

async function starterFor(path: string): Promise<string> {
	const loaded = loadModel(path);
	try {
		return await starterRecipe(loaded, new Map(), 'starter.prune');
	} finally {
		loaded.file.close();
	}
}

/** A starter is canonical, right, plans on its model, and every line in it that is a comment is right too. */
async function holds(text: string, model: string): Promise<void> {
	assert.is(formatRecipe(text).text, text);
	assert.equal(checkText(text).diagnostics, [], text);
	const planned = await compile({ recipe: text, model, verify: false });
	assert.equal(
		planned.diagnostics.filter(({ severity }) => severity === 'error'),
		[],
		text,
	);
	for (const { selected, statement } of planned.steps) assert.ok(selected > 0, statement);
	const offered = text
		.split('\n')
		.flatMap((line) => /^# ((?:prune|factorize|calibrate|expect|input) .*)$/.exec(line)?.[1] ?? []);
	assert.ok(offered.length >= 2, text);
	for (const line of offered) assert.equal(checkText(line, {}, { hasData: true }).diagnostics, [], line);
}

for (const [name, model] of Object.entries(models)) {
	test(`init writes a recipe for ${name} that passes check and plan`, async () => {
		const path = join(folderWith(), `${name}.onnx`);
		saveModel(model(), path);
		const text = await starterFor(path);
		golden(`cli/init/${name}.prune`, text);
		await holds(text, path);
	});
}

test('a folder is named as a folder, and names the recipe', async () => {
	const path = join(folderWith(), 'tiny-bert');
	mkdirSync(join(path, 'onnx'), { recursive: true });
	saveModel(nothing(), join(path, 'onnx', 'model.onnx'));
	const text = await starterFor(path);
	assert.match(text, `prunec build starter.prune ${path} -o small/\n`);
	for (const given of [path, join(path, 'onnx', 'model.onnx')])
		assert.match(await starterFor(given), '\nrecipe tiny-bert-lite\n');
});

test('init writes one for the trained recognizer that builds what it says', async () => {
	const text = await starterFor(recognizer);
	golden('cli/init/recognizer.prune', text);
	await holds(text, recognizer);
	const all = /All of these together: saves ([\d.]+)% of the parameters/.exec(text)?.[1];
	const { model, output } = await compile({ recipe: text, model: recognizer, verify: false });
	const saved = 100 * (1 - (output?.params ?? 0) / (model?.params ?? 1));
	assert.ok(Math.abs(saved - Number(all)) < 0.1, `${saved} is not ${String(all)}`);
});

const codes = catalogue
	.map(({ code }) => code)
	.sort()
	.join(' ');
for (const shell of ['bash', 'zsh', 'fish']) {
	test(`completion ${shell} names every command and flag`, () => {
		const text = said(shell);
		// Every new diagnostic is another code, and the list has its own test.
		golden(`cli/completion/${shell}.txt`, text.replaceAll(codes, 'CODES'));
		assert.match(text, codes);
		for (const { usage } of commands)
			assert.match(text, (usage.split(' ')[0] ?? '') + (shell === 'bash' ? ')' : ''));
	});
}

/** What the command prints. */
function said(shell: string): string {
	const write = process.stdout.write.bind(process.stdout);
	let text = '';
	process.stdout.write = (piece: string | Uint8Array): boolean => {
		text += String(piece);
		return true;
	};
	try {
		completion(shell, {});
	} finally {
		process.stdout.write = write;
	}
	return text;
}

test('bash completes commands, flags, values and files with it', () => {
	const folder = folderWith();
	writeFileSync(join(folder, 'small.prune'), '');
	writeFileSync(join(folder, 'completion.bash'), said('bash'));
	const completed = (...words: readonly string[]): string[] => {
		const script = `. ./completion.bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _prunec; printf '%s\\n' "\${COMPREPLY[@]}"`;
		const { stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' });
		assert.is(stderr, '');
		return stdout.split('\n').filter(Boolean);
	};
	assert.equal(completed('prunec', 'in'), ['inspect', 'index', 'init']);
	assert.equal(completed('prunec', 'build', '--se'), ['--seed']);
	assert.equal(completed('prunec', 'convert', 'small.prune', '--to', ''), ['prune', 'yaml', 'json']);
	assert.equal(completed('prunec', 'list', 't'), ['techniques']);
	assert.equal(completed('prunec', 'explain', 'check/unknown-t'), ['check/unknown-target']);
	assert.equal(completed('prunec', 'check', 'sm'), ['small.prune']);
});

test.run();
