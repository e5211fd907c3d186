import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Diagnostic, hasErrors } from '../../src/diagnostic.ts';
import { checkRecipe } from '../../src/ir/recipe/check.ts';
import { formatRecipe } from '../../src/parser/print.ts';
import { readRecipe } from '../../src/parser/read.ts';
import { meaning, samples } from '../harness/recipes.ts';
import { vocabulary } from '../harness/vocabulary.ts';

const test = suite('mutations');
/** More of them with PRUNEC_MUTANTS=1000000; every tenth that is read is checked as well. */
const runs = Number(process.env['PRUNEC_MUTANTS'] ?? 2000);
const eachChecked = 10;

/** xorshift32: the same mutants on every machine. */
function draws(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) % below;
	};
}

const pieces = [
	...[
		'(',
		')',
		'[',
		']',
		',',
		';',
		'\n',
		'"',
		'$',
		'..',
		'..=',
		'=',
		'==',
		'-',
		'%',
		'#',
		'##',
		'@',
		'\\',
		'\u{1f600}',
	],
	...[
		' in ',
		' where ',
		' keep ',
		' prune ',
		' and ',
		' not ',
		' 1e999 ',
		' 25% ',
		' 2:4 ',
		' step ',
		' recipe ',
		'\0',
		'\r',
	],
];

function mutated(text: string, draw: (below: number) => number): string {
	const at = draw(text.length + 1);
	const until = Math.min(text.length, at + draw(6));
	switch (draw(4)) {
		case 0:
			return text.slice(0, at) + text.slice(until);
		case 1:
			return text.slice(0, at) + (pieces[draw(pieces.length)] ?? '') + text.slice(at);
		case 2:
			return text.slice(0, at) + text.slice(at, until).repeat(2) + text.slice(until);
		default:
			return text.slice(0, at) + (pieces[draw(pieces.length)] ?? '') + text.slice(until);
	}
}

function assertInside({ span, code }: Diagnostic, text: string): void {
	assert.match(code, /^[a-z]+\/[a-z0-9-]+$/);
	assert.ok(
		span !== undefined && span.start >= 0 && span.start <= span.end && span.end <= text.length,
		`${code} in ${JSON.stringify(text)}`,
	);
}

test(`reads ${String(runs)} mutants, checks every tenth, and never throws: a recipe, or a message inside the text`, () => {
	const draw = draws(0x9e3779b9);
	const counts = { readable: 0, checked: 0, meaningful: 0 };
	for (let run = 0; run < runs; run++) {
		let text = samples[draw(samples.length)] ?? '';
		for (let times = 1 + draw(4); times > 0; times--) text = mutated(text, draw);
		const { syntax, diagnostics } = readRecipe(text);
		for (const one of diagnostics) assertInside(one, text);
		assert.is(syntax.complete, diagnostics.length === 0, text);
		if (syntax.complete) counts.readable++;
		if (run % eachChecked !== 0) continue;
		counts.checked++;
		const checked = checkRecipe(syntax, vocabulary);
		for (const one of checked.diagnostics) assertInside(one, text);
		assert.ok(checked.recipe !== undefined || hasErrors([...diagnostics, ...checked.diagnostics]), text);
		if (checked.recipe !== undefined) counts.meaningful++;
		if (!syntax.complete) continue;
		const { text: formatted } = formatRecipe(text);
		assert.is(formatRecipe(formatted).text, formatted, text);
		assert.equal(meaning(formatted), meaning(text), text);
	}
	// Mutants of both kinds, else this tests one half only.
	assert.is(counts.checked, Math.ceil(runs / eachChecked));
	assert.ok(counts.readable > runs / 10 && counts.readable < (runs * 9) / 10, JSON.stringify(counts));
});

test.run();
