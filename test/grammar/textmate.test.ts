/** The TextMate grammar in the engine that editors use: what each word and sign is taken for. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import oniguruma from 'vscode-oniguruma';
import textmate from 'vscode-textmate';
import { textmate as grammarText } from '../../scripts/textmate.ts';
import { lexer, LineBreak } from '../../src/parser/tokens.ts';
import { golden } from '../harness/golden.ts';
import { samples } from '../harness/recipes.ts';

const test = suite('TextMate grammar');

const { createOnigScanner, createOnigString, loadWASM } = oniguruma;
const wasm = createRequire(import.meta.url).resolve('vscode-oniguruma/release/onig.wasm');

async function grammarOf(): Promise<textmate.IGrammar> {
	const registry = new textmate.Registry({
		onigLib: Promise.resolve({
			createOnigScanner: (sources: string[]) => createOnigScanner(sources),
			createOnigString: (text: string) => createOnigString(text),
		}),
		loadGrammar: () => Promise.resolve(textmate.parseRawGrammar(grammarText(), 'prune.json')),
	});
	const grammar = await registry.loadGrammar('source.prune');
	assert.ok(grammar);
	return grammar;
}

let grammar: textmate.IGrammar;
test.before(async () => {
	await loadWASM(readFileSync(wasm));
	grammar = await grammarOf();
});

type Shown = { readonly text: string; readonly scope: string; readonly start: number };

/** Pieces of a line with the innermost scope of each, blanks left out. */
function coloured(text: string): Shown[][] {
	let stack = textmate.INITIAL;
	return text.split('\n').map((line) => {
		const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
		stack = ruleStack;
		return tokens
			.map(({ startIndex, endIndex, scopes }) => ({
				text: line.slice(startIndex, endIndex),
				scope: (scopes.at(-1) ?? '').replace(/\.prune$/, ''),
				start: startIndex,
			}))
			.filter((one) => one.text.trim() !== '');
	});
}

const files = [
	'recipes/bert-half.prune',
	'recipes/ocr-lite.prune',
	'recipes/sure-early.prune',
	'recipes/vocab-half.prune',
];

for (const file of files) {
	test(`colours ${file}`, () => {
		const lines = coloured(readFileSync(file, 'utf8')).flatMap((line, at) =>
			line.map(({ text, scope }) => `${at + 1}: ${text.trim()}  ${scope}`),
		);
		golden(`textmate/${file.replace(/^.*\/|\.prune$/g, '')}.txt`, `${lines.join('\n')}\n`);
	});
}

test('colours everything that can be written', () => {
	const lines = samples.flatMap((sample) => coloured(sample.replaceAll('\r', '')).flat());
	const seen = new Map(lines.map(({ text, scope }) => [`${text.trim()}  ${scope}`, true]));
	golden('textmate/samples.txt', `${[...seen.keys()].sort().join('\n')}\n`);
});

test('cuts a text where the lexer does: no token is split, and nothing of it is left without a scope', () => {
	for (const sample of samples) {
		const lines = sample.split('\n');
		const pieces = coloured(sample);
		const starts = lines.map((_, at) => lines.slice(0, at).join('\n').length + (at > 0 ? 1 : 0));
		for (const { tokenType, image, startOffset } of lexer.tokenize(sample).tokens) {
			if (tokenType === LineBreak) continue;
			const at = starts.findLastIndex((start) => start <= startOffset);
			const column = startOffset - (starts[at] ?? 0);
			const piece = pieces[at]?.find(
				({ start, text }) => start <= column && column + image.length <= start + text.length,
			);
			assert.ok(
				piece && piece.scope !== 'source',
				`${image} of ${lines[at] ?? ''}: ${piece?.scope ?? 'split'}`,
			);
		}
	}
});

test('the file that editors load is the one that is made', () => {
	assert.is(readFileSync('editors/vscode/prune.tmLanguage.json', 'utf8'), grammarText());
});

test.run();
