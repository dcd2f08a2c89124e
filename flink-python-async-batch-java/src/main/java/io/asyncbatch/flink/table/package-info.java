/**
 * What users of SQL write: the options of models whose provider is {@code 'async-batch'}. Depends
 * on nothing else of this project but what its documentation names.
 */
package io.asyncbatch.flink.table;
