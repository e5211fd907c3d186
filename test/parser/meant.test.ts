/** What people write who know other tools gets one message, with what is meant here. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../../src/ir/recipe/check.ts';
import { readRecipe } from '../../src/parser/read.ts';
import { vocabulary } from '../../src/vocabulary.ts';

const test = suite('meant');

/** A recipe, and the hint of its only message. */
const cases: Readonly<Record<string, string>> = {
	'recipe bert lite': 'the words of a name are joined by hyphens: `bert-lite`',
	'remove heads 25%': '`prune` is the word for it',
	'prune mlp 25%': '`ffn` is the word for it',
	'prune attention heads 25%': '`heads` is the nearest spelling',
	'prune 25% of heads': '`prune heads 25%`',
	'prune heads 25% by magnitude': '`l2` is the word for it',
	'prune heads if importance < 0.1': '`where` is the word for it',
	'prune heads importance < 0.1': 'a condition stands behind `where`, as `where importance < 0.1`',
	'prune heads < 0.1': 'a condition stands behind `where`',
	'prune heads where layer == 3 or 4': 'a condition compares, as `layer == 3 or layer == 4`',
	'prune heads 25percent': 'did you mean `25%`?',
	'expect latency <= 2s': 'did you mean `2000ms`?',
	'expect size < 10 MB': 'a number and its unit touch, as `10MB`',
	'expect size < 10mb': 'did you mean `10MB`?',
	'expect cosine > 0.9 and kl < 1':
		'each promise is a statement: end this one, and begin another with `expect`',
	'require opset 13': 'a comparison stands before the number, as `>= 13`',
	'input input_ids 1 x 128': 'sizes are one word, as `input input_ids 1x128`',
	'factorize ffn rank=64': 'no `=` is needed, as in `rank 64`',
	'exit after 5 when confidence > 0.9': '`after layer 5` names a layer',
	'prune layers (3, 4)':
		'verb, target and amount stand without brackets, as `prune heads 25%`; a list has `[` and `]`',
	'prune layers 3, 4': 'a list stands in brackets, as `[3, 4]`; another statement behind `;`',
	'prune heads 25% in layers 6, 7': 'several ranges of layers stand in brackets: `layers [0..3, 5..7]`',
	'prune heads 25% in layers 6 to 12': 'a range has two points, as `6..12`',
	'prune heads 25% in layer 6-12': 'a range has two points, as `6..12`',
	'prune heads 25% in layers 6…12': '`..` makes a range',
	"prune heads 25% in 'encoder.*'": '`"encoder.*"` is a string',
	'protect “pooler”': '`"pooler"` is a string',
	'protect pooler.*': 'the name of a file or a node stands in quotes, as `"encoder.*"`',
	'prune heads where importance ≥ 0.1': '`>=` compares',
	'prune heads 25% // why': 'a share is written with %, a comment begins with `#`',
	'prune heads 25% -- why': 'a comment begins with `#`',
	'may change ""': '`"*"` matches every name',
};
for (const [text, hint] of Object.entries(cases)) {
	test(`says what is meant by ${text}`, () => {
		const { syntax, diagnostics } = readRecipe(text);
		const all = [...diagnostics, ...checkRecipe(syntax, vocabulary, {}, { hasData: true }).diagnostics];
		assert.equal(
			all.map((one) => one.hint),
			[hint],
		);
	});
}

test.run();
