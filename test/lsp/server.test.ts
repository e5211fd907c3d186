/** The language server as an editor meets it: a process, spoken to in the protocol. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { Client, edited, type Opened } from '../harness/client.ts';
import { golden } from '../harness/golden.ts';
import { encoder } from '../harness/model.ts';
import { folderWith, ready, removeFolders } from '../harness/process.ts';

const test = suite('language server');
let client: Client;
let folder = '';
let abilities: Readonly<Record<string, unknown>> = {};

test.before(async () => {
	await ready();
	folder = folderWith();
	saveModel(encoder(4, { heads: 4, width: 8, hidden: 64 }), join(folder, 'model.onnx'));
	writeFileSync(join(folder, 'prunec.yaml'), 'name: tried\nmodels:\n  small: { file: model.onnx }\n');
	mkdirSync(join(folder, 'common'));
	writeFileSync(
		join(folder, 'common/half.prune'),
		'recipe half\n  "Half of the heads"\n\n## how many go\nparam share = 50%\nprune heads $share\n',
	);
	writeFileSync(join(folder, 'common/wrong.prune'), 'prune hads 25%\n');
	client = new Client(folder);
	({ capabilities: abilities } = await client.start());
});
test.after(async () => {
	assert.is(await client.stop(), 0);
	removeFolders();
});

test('says what it can do', () => {
	assert.equal(Object.keys(abilities).sort(), [
		...['codeActionProvider', 'completionProvider', 'definitionProvider', 'documentFormattingProvider'],
		...['hoverProvider', 'renameProvider', 'semanticTokensProvider', 'textDocumentSync'],
	]);
});

test('tells every mistake while one types, at its place, and none when it is mended', async () => {
	const opened = await client.open('prune hads 25%\nprune ffn 25% by l3\n');
	const shown = opened.problems.map(({ code, range: { start, end } }) => [
		code,
		start.line,
		start.character,
		end.character,
	]);
	assert.equal(shown, [
		['check/unknown-target', 0, 6, 10],
		['check/unknown-metric', 1, 17, 19],
	]);
	assert.is(
		opened.problems[0]?.message,
		'`prune` has no target `hads`\nhelp: `heads` is the nearest spelling',
	);
	const word = { start: { line: 0, character: 6 }, end: { line: 0, character: 10 } };
	const left = await client.type(opened, word, 'heads', 2);
	assert.equal(
		left.map(({ code }) => code),
		['check/unknown-metric'],
	);
	const metric = { start: { line: 1, character: 17 }, end: { line: 1, character: 19 } };
	assert.equal(await client.type(opened, metric, 'l2', 3), []);
});

test('a mistake in an imported file stands at the use that brought it', async () => {
	const { problems } = await client.open('\nuse "./common/wrong.prune"\n');
	const [{ code, message, range, relatedInformation = [] }] = problems as [(typeof problems)[number]];
	assert.equal([problems.length, code, range.start], [1, 'check/unknown-target', { line: 1, character: 4 }]);
	assert.ok(message.startsWith('in common/wrong.prune: `prune` has no target `hads`'), message);
	assert.equal(
		relatedInformation.map(({ location }) => [location.uri, location.range.start]),
		[[client.uri('common/wrong.prune'), { line: 0, character: 6 }]],
	);
});

type Item = {
	readonly label: string;
	readonly detail: string;
	readonly textEdit: { range: never; newText: string };
};

async function offered(
	marked: string,
): Promise<{ readonly items: readonly Item[]; readonly opened: Opened }> {
	const opened = await client.open(marked);
	return { opened, items: await client.request<Item[]>('textDocument/completion', opened.at) };
}

const places: Readonly<
	Record<string, readonly [text: string, some: readonly string[], none?: readonly string[]]>
> = {
	'verbs and opening words where a statement begins': [
		'|',
		['prune', 'factorize', 'share', 'recipe', 'param', 'expect'],
		['heads', 'in'],
	],
	'verbs behind a complete line': ['prune heads 25%\n|', ['prune', 'expect'], ['25%']],
	'the targets of a verb': ['prune |', ['heads', 'ffn', 'layers', 'vocab'], ['attention', 'prune']],
	'the targets of another verb': ['factorize |', ['ffn', 'attention'], ['heads']],
	'targets behind a comma': ['prune heads, f|', ['ffn', 'heads']],
	'amounts and clauses behind a target': [
		'prune heads |',
		['25%', 'keep 8', 'in', 'where', 'by'],
		['rank 64', 'only', 'heads'],
	],
	'ranks where there are ranks': ['factorize ffn |', ['rank 64', 'energy 95%', 'in'], ['25%', 'where']],
	'the clauses that are left': [
		'prune heads 25% by l2 |',
		['in', 'globally', 'except'],
		['by', '25%', 'where'],
	],
	'the metrics of the target': [
		'prune heads 25% by |',
		['l2', 'wanda', 'obs', 'random'],
		['block_influence', 'cls'],
	],
	'the metrics of layers': ['prune layers 2 by |', ['block_influence', 'random'], ['l2']],
	'places behind in': ['prune heads 25% in |', ['layers', 'encoder', 'cross attention', '"*"']],
	'ranges of any model and of the one at hand': [
		'prune heads 25% in layers |',
		['50%..', '-2..', '0..4', '2..4'],
	],
	'fields behind where': [
		'param floor = 0.1\nprune heads where |',
		['importance', 'layer', 'l2', '$floor'],
		['and'],
	],
	'operators behind a comparison': [
		'prune heads where importance < 0.1 |',
		['and', 'or', 'in'],
		['importance'],
	],
	'fields behind an operator': ['prune heads where importance < 0.1 and |', ['layer', 'index'], ['in']],
	'signals behind when': ['exit after layer 1 when |', ['confidence', 'margin', 'entropy'], ['importance']],
	'halves of layers': ['prune layers [1] only |', ['attention', 'ffn'], ['layers']],
	'parameters, also those of a recipe that is used': [
		'use "./common/half.prune"\nparam a = 1\nprune heads $|',
		['$a', '$share'],
		['25%'],
	],
	'names of recipes behind apply': ['use "./common/half.prune" as half\napply |', ['half'], ['heads']],
	'their parameters in brackets': ['use "./common/half.prune" as half\napply half(|', ['share'], ['half']],
	'measures of promises': ['expect |', ['cosine', 'params', 'outputs unchanged'], ['heads']],
	'kinds and properties of models': ['require |', ['transformer', 'opset'], ['cosine']],
	'properties behind with': ['require transformer with |', ['layers', 'heads'], ['transformer']],
	'settings of data': ['evaluate with "dev.jsonl" |', ['take', 'metric', 'seed'], ['l2']],
	'metrics of quality': ['evaluate with "dev.jsonl" metric |', ['accuracy', 'f1'], ['l2']],
	'nothing inside a string': ['calibrate with "ca|', []],
	'nothing in a comment': ['# pru|', []],
};
for (const [name, [marked, some, none = []]] of Object.entries(places)) {
	test(`completes ${name}`, async () => {
		const { items } = await offered(marked);
		const labels = items.map(({ label }) => label);
		if (some.length === 0) assert.equal(labels, []);
		assert.equal(
			some.filter((label) => !labels.includes(label)),
			[],
			`missing of ${labels.join(' ')}`,
		);
		assert.equal(
			none.filter((label) => labels.includes(label)),
			[],
			`too many: ${labels.join(' ')}`,
		);
	});
}

test('what is chosen takes the place of what was begun', async () => {
	const { items, opened } = await offered('param floor = 0.1\nprune heads where importance < $fl|\n');
	const chosen = items.find(({ label }) => label === '$floor');
	assert.is(chosen?.detail, '= 0.1');
	assert.is(
		edited(opened.text, chosen ? [chosen.textEdit] : []),
		'param floor = 0.1\nprune heads where importance < $floor\n',
	);
});

const hovers: Readonly<Record<string, string>> = {
	'a target, and what it finds': 'prune he|ads 25% in layers 2..4\n',
	'a metric': 'prune heads 25% by l|2\n',
	'a clause word': 'prune heads 25% glo|bally\n',
	'an opening word': 'req|uire opset >= 13\n',
	'a field of a condition': 'prune heads where impor|tance < 0.1\n',
	'a range': 'prune ffn 30% in layers 1|..=2\n',
	'layers that the model does not have': 'prune heads 25% in la|yers 6..12\n',
	'a glob over names': 'prune heads 25%\nprotect "MatMul|*"\n',
	'a parameter': '## the share that goes\nparam share = 25% from 0% to 50%\nprune heads $sh|are\n',
	'an address': 'use "./common/ha|lf.prune"\n',
	'a verb': 'fact|orize ffn rank 8\n',
	'whole layers': 'prune layers 3|..4\n',
};
for (const [name, marked] of Object.entries(hovers)) {
	test(`explains ${name}`, async () => {
		const { at } = await client.open(marked);
		const found = await client.request<{ contents: { value: string } } | null>('textDocument/hover', at);
		// What a technique accepts is its own business, tested where the tables of the reference are made.
		const said = (found?.contents.value ?? 'nothing').replace(
			/^(also|amounts|clauses|metrics): .*$/gm,
			'$1: …',
		);
		golden(`lsp/hover/${name.replaceAll(/[ ,]+/g, '-')}.md`, `${said}\n`);
	});
}

type Found = {
	readonly uri: string;
	readonly range: { readonly start: { line: number; character: number } };
} | null;

test('goes to imports, to what they are called, to parameters here and there', async () => {
	const half = client.uri('common/half.prune');
	for (const [marked, name, line, character] of [
		['use "./common/ha|lf.prune"\n', half, 0, 0],
		['use "./common/half.prune" as half\napply ha|lf\n', undefined, 0, 29],
		['use "./common/half.prune" as half\napply half(sha|re = 25%)\n', half, 4, 6],
		['use "./common/half.prune"\nprune ffn $sha|re\n', half, 4, 6],
		['param a = 25%\nprune heads $|a\n', undefined, 0, 6],
	] as const) {
		const { at, uri } = await client.open(marked);
		const found = await client.request<Found>('textDocument/definition', at);
		assert.equal([found?.uri, found?.range.start], [name ?? uri, { line, character }], marked);
	}
	const { at } = await client.open('prune hea|ds 25%\n');
	assert.is(await client.request<Found>('textDocument/definition', at), null);
});

test('renames a parameter wherever it stands, and nothing else', async () => {
	const opened = await client.open(
		'param sh|are = 25%\nprune heads $share in "share" # $share\nprune ffn $share where layer > $shares\n',
	);
	const prepared = await client.request<{ placeholder: string }>('textDocument/prepareRename', opened.at);
	assert.is(prepared.placeholder, 'share');
	const { changes } = await client.request<{ changes: Record<string, never[]> }>('textDocument/rename', {
		...opened.at,
		newName: 'part',
	});
	assert.is(
		edited(opened.text, changes[opened.uri] ?? []),
		'param part = 25%\nprune heads $part in "share" # $share\nprune ffn $part where layer > $shares\n',
	);
	for (const newName of ['in', '2nd', 'a-b'])
		await client.request('textDocument/rename', { ...opened.at, newName }).then(
			() => assert.unreachable(newName),
			(problem: unknown) => assert.match(String(problem), newName),
		);
	const other = await client.open('use "./common/half.prune"\nprune ffn $sha|re\n');
	assert.is(await client.request('textDocument/prepareRename', other.at), null);
});

type Action = {
	readonly title: string;
	readonly edit: { readonly changes: Readonly<Record<string, never[]>> };
};

test('mends what is misspelt', async () => {
	for (const [marked, title, mended] of [
		['prne| heads 25%\n', 'Write `prune`', 'prune heads 25%\n'],
		['prune hads| 25%\n', 'Write `heads`', 'prune heads 25%\n'],
		['prune heads 25% by wnda|\n', 'Write `wanda`', 'prune heads 25% by wanda\n'],
		['prune heads 25% globaly|\n', 'Write `globally`', 'prune heads 25% globally\n'],
		['prune heads where importanse| < 0.1\n', 'Write `importance`', 'prune heads where importance < 0.1\n'],
		[
			'param floor = 0.1\nprune heads where importance < $flor|\n',
			'Write `$floor`',
			'param floor = 0.1\nprune heads where importance < $floor\n',
		],
		['prune heads where layer =| 3\n', 'Write `==`', 'prune heads where layer == 3\n'],
		[
			'factorize ffn rank 64 prune| heads 25%\n',
			'Write `; prune`',
			'factorize ffn rank 64 ; prune heads 25%\n',
		],
		['prune heads 25% in layers 12..6|\n', 'Write `6..12`', 'prune heads 25% in layers 6..12\n'],
		['prune layers 0, 1]|\n', 'Remove `]`', 'prune layers 0, 1\n'],
		['prune heads 0.25|\n', 'Write `25%`', 'prune heads 25%\n'],
		["protect 'a.*'|\n", 'Write `"a.*"`', 'protect "a.*"\n'],
		['expect size <= 10mb|\n', 'Write `10MB`', 'expect size <= 10MB\n'],
		['prune heads if| importance < 0.1\n', 'Write `where`', 'prune heads where importance < 0.1\n'],
	] as const) {
		const { at, text, uri } = await client.open(marked);
		const range = { start: at.position, end: at.position };
		const actions = await client.request<Action[]>('textDocument/codeAction', {
			...at,
			range,
			context: { diagnostics: [] },
		});
		const action = actions.find((one) => one.title === title);
		assert.ok(action, `${marked}: ${actions.map((one) => one.title).join(', ')}`);
		assert.is(edited(text, action.edit.changes[uri] ?? []), mended);
	}
});

test('formats a recipe that can be read, and leaves another as it is', async () => {
	for (const [text, formatted] of [
		[
			'prune heads in layers 6..12   by l2 lowest 3 ;factorize ffn rank 64\n',
			'prune heads lowest 3 by l2 in layers 6..12\nfactorize ffn rank 64\n',
		],
		['prune   heads where\n', 'prune   heads where\n'],
	] as const) {
		const { at, text: before } = await client.open(text);
		const edits = await client.request<never[]>('textDocument/formatting', { ...at, options: {} });
		assert.is(edited(before, edits), formatted);
	}
});

test('colours words by what they mean', async () => {
	const { legend } = abilities['semanticTokensProvider'] as { legend: { tokenTypes: string[] } };
	const text = [
		'recipe lite 1.0.0  # said',
		'param share = 25%',
		'calibrate with "c.jsonl" take 8',
		'use "./common/half.prune" as half; apply half(share = 10%)',
		'prune heads, ffn $share by l2 in layers 6..12 without compensation',
		'prune heads where not importance < 0.1 and name matches "*.q"',
		'expect top1 agreement >= 99%',
		'require transformer with layers >= 2',
	].join('\n');
	const { at } = await client.open(text);
	const { data } = await client.request<{ data: number[] }>('textDocument/semanticTokens/full', at);
	const lines = text.split('\n');
	let [line, character] = [0, 0];
	const shown: string[] = [];
	for (let index = 0; index < data.length; index += 5) {
		const [down = 0, right = 0, length = 0, type = 0] = data.slice(index);
		[line, character] = [line + down, down > 0 ? right : character + right];
		shown.push(
			`${line + 1}: ${lines[line]?.slice(character, character + length) ?? ''} ${legend.tokenTypes[type] ?? ''}`,
		);
	}
	golden('lsp/colours.txt', `${shown.join('\n')}\n`);
});

test('a text with thousands of mistakes and a damaged lock are told and do not end it', async () => {
	const { problems } = await client.open(')\n'.repeat(3000));
	assert.ok(problems.length > 100);
	writeFileSync(join(folder, 'prune.lock'), '{ not json');
	const damaged = await client.open('use "npm:@acme/recipes/half.prune"\n');
	assert.ok(
		damaged.problems.some(({ code }) => code.startsWith('import/')),
		JSON.stringify(damaged.problems),
	);
});

test.run();
