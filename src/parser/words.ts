/** The words that the grammar itself knows. */

/** The closed list of words that begin a clause, or stand inside one, and can name nothing else. */
export const clauseWords = [
	...([
		'in',
		'except',
		'where',
		'by',
		'with',
		'without',
		'keep',
		'lowest',
		'rank',
		'energy',
		'ratio',
	] as const),
	...([
		'until',
		'while',
		'after',
		'across',
		'when',
		'fit',
		'from',
		'to',
		'take',
		'as',
		'seen',
		'times',
	] as const),
	...(['globally', 'align', 'min', 'may', 'only', 'step'] as const),
] as const;
export type ClauseWord = (typeof clauseWords)[number];

/** Words that begin a statement which is no transform. They are plain names everywhere else. */
export const openers = [
	'recipe',
	'param',
	'input',
	'protect',
	'calibrate',
	'expect',
	'use',
	'apply',
] as const;
export type Opener = (typeof openers)[number];

/** Words that stand between or before the operands of a condition. */
export const operatorWords = ['and', 'or', 'not', 'matches'] as const;
export type OperatorWord = (typeof operatorWords)[number];
