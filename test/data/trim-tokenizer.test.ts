/** What is left of a tokenizer, and which tokens stand on the way to others. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { closeUnderMerges, trimTokenizer } from '../../src/data/trim-tokenizer.ts';

const test = suite('trimmed tokenizers');

const vocab = { a: 0, b: 1, c: 2, ab: 3, abc: 4, bc: 5, aa: 6 };
const model = { type: 'BPE', vocab, merges: ['a b', 'ab c', 'b c', 'a a'] };

test('added tokens keep their ids where the vocabulary before them shrinks, whichever way they are counted', () => {
	const added = ['<s>', '<x>', '</s>'].map((content, at) => ({ id: 7 + at, content, special: true }));
	const trimmed = trimTokenizer({ model, added_tokens: added }, new Set([5, 6, 8]));
	assert.equal(trimmed['added_tokens'], [added[0], added[2]]);
	const { vocab: left } = trimmed['model'] as { vocab: Record<string, number> };
	assert.equal(left, { a: 0, b: 1, c: 2, ab: 3, abc: 4, '<s>': 7, '</s>': 9 });
	const pieces = ['a', 'b', '<s>'].map((piece) => [piece, -1]);
	const behind = { added_tokens: added.map((token, at) => ({ ...token, id: 2 + at })) };
	const unigram = trimTokenizer({ ...behind, model: { vocab: pieces } }, new Set([3]));
	assert.equal(
		(unigram['added_tokens'] as typeof added).map(({ id, content }) => [id, content]),
		[
			[2, '<s>'],
			[3, '[gone 3]'],
			[4, '</s>'],
		],
		'a place in the list is an id',
	);
});

test('of several rules that make a token those stay that the encoder uses', () => {
	const rules = ['b c', 'a b', 'a bc', 'ab c'];
	assert.equal(closeUnderMerges({ vocab, merges: rules }, [4]).sort(), [0, 1, 2, 4, 5, 6], 'bc, then a bc');
	assert.equal(closeUnderMerges({ vocab, merges: rules.toReversed() }, [4]).sort(), [0, 1, 2, 3, 4, 6]);
	const words = { a: 0, b: 1, 'b</w>': 2, 'ab</w>': 3, ab: 4 };
	const ends = { vocab: words, merges: ['a b', 'a b</w>'], end_of_word_suffix: '</w>' };
	assert.equal(closeUnderMerges(ends, [3]).sort(), [0, 1, 2, 3]);
	const unmergeable = { vocab, merges: ['ab c', 'a a'] };
	assert.equal(closeUnderMerges(unmergeable, [4]).sort(), [0, 1, 2, 3, 4, 5], 'ab has no rule of its own');
});

test('pieces that stand for bytes stay, since they spell what nothing else does', () => {
	const pieces = [
		['<unk>', 0],
		['a', -1],
		['<0x0A>', -9],
		['b', -2],
	];
	assert.equal(closeUnderMerges({ vocab: pieces, byte_fallback: true }, [1]), [1, 2]);
	assert.equal(closeUnderMerges({ vocab: pieces }, [1]), [1]);
});

test.run();
