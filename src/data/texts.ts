/** Rows of texts as a model's inputs: ids, masks, types, positions. */
import { Fault } from '../diagnostic.ts';
import { type ValueInfo } from '../ir/graph/graph.ts';
import { noTextColumn, unfitModel } from '../messages/data.ts';
import { isLabel } from './labels.ts';
import { roleOf } from './roles.ts';
import { rejectRow } from './rows.ts';
import { type Row, type Sample, type SampleValue } from './sample.ts';
import { openTokenizer, type Encoded } from './tokenize.ts';
import { wantedOf } from './fit.ts';

/** Columns that hold texts, in the order that they are looked for; the second of a pair may be absent. */
const columns: readonly (readonly [string, string])[] = [
	['text', 'text_pair'],
	['sentence1', 'sentence2'],
	['premise', 'hypothesis'],
	['question1', 'question2'],
	['question', 'context'],
	['query', 'passage'],
	['sentence', ''],
	['content', ''],
];

const textOf = (row: Row, name: string): string | undefined => {
	const field = row.fields.get(name);
	return field?.kind === 'plain' && typeof field.value === 'string' ? field.value : undefined;
};

/** The columns that hold the texts of these rows, or undefined when they hold none. Throws `Fault` when that is not clear. */
export function textColumns(row: Row): readonly [string, string] | undefined {
	const known = columns.find(([first]) => textOf(row, first) !== undefined);
	if (known !== undefined) return known;
	const texts = [...row.fields.keys()].filter((name) => !isLabel(name) && textOf(row, name) !== undefined);
	if (texts.length > 1) throw new Fault(noTextColumn({ columns: texts }, { at: row.at }));
	return texts[0] === undefined ? undefined : [texts[0], ''];
}

export type Reading = { readonly words: string; prepare(row: Row): Sample };

/** How the texts of rows become feeds of a model. Throws `Fault` when there is no tokenizer or the model takes no ids. */
export function readTexts(
	inputs: readonly ValueInfo[],
	model: string,
	[first, second]: readonly [string, string],
	most: number | undefined,
): Reading {
	const ids = inputs.filter((input) => roleOf(input) === 'ids');
	const [input] = ids;
	if (input === undefined || ids.length > 1) {
		const why =
			input === undefined
				? 'none of its inputs takes token ids'
				: 'several of its inputs may be the token ids';
		throw new Fault(unfitModel({ what: 'text', why, wanted: inputs.map(wantedOf) }));
	}
	const size = input.dims?.at(-1);
	const tokenizer = openTokenizer(model, {
		most,
		...(typeof size === 'number' && size > 0 && { fixed: size }),
	});
	return {
		words: `texts by ${tokenizer.words}`,
		prepare: (row) => {
			const [text, pair] = [textOf(row, first), textOf(row, second)];
			if (text === undefined) return rejectRow(row.at, `the column \`${first}\` holds no text`);
			const encoded = tokenizer.encode(text, pair);
			if (encoded.ids.length === 0) return rejectRow(row.at, 'the text has no tokens');
			return new Map(inputs.flatMap((one) => feedOf(one, encoded)));
		},
	};
}

const parts = { ids: 'ids', mask: 'mask', types: 'types' } as const;

function feedOf(input: ValueInfo, encoded: Encoded): [string, SampleValue][] {
	const role = roleOf(input);
	const values = role in parts ? encoded[parts[role as keyof typeof parts]] : undefined;
	const rank = input.dims?.length ?? 2;
	if (values === undefined || rank > 2) return [];
	const dims = rank === 1 ? [values.length] : [1, values.length];
	return [[input.name, { type: input.type, dims, data: values }]];
}
