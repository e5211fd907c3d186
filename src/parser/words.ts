/** The words that the grammar itself knows. */

/** The closed list of words that begin a clause, or stand inside one, and can name nothing else. */
export const clauseWords = [
	...(['in', 'except', 'where', 'by', 'with', 'without', 'keep', 'lowest', 'rank', 'energy'] as const),
	...(['ratio', 'auto', 'until', 'while', 'after', 'across', 'at', 'when', 'fit', 'from', 'to'] as const),
	...(['take', 'as', 'seen', 'times', 'globally', 'align', 'min', 'may', 'only', 'step'] as const),
] as const;
export type ClauseWord = (typeof clauseWords)[number];

/** Words that begin a statement which is no transform. They are plain names everywhere else. */
export const openers = [
	...(['recipe', 'param', 'input', 'protect', 'require', 'calibrate', 'evaluate'] as const),
	...(['expect', 'use', 'apply'] as const),
] as const;
export type Opener = (typeof openers)[number];

/** Words that stand between or before the operands of a condition. */
export const operatorWords = ['and', 'or', 'not', 'matches'] as const;
export type OperatorWord = (typeof operatorWords)[number];
